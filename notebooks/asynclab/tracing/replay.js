// The handler of a replay's own element, for its slider, its buttons and its keys. Everything is found from that element, so
// that two replays in a page do not meet. It needs no kernel, and no other file.
const replay = this, all = selector => [...replay.querySelectorAll(selector)], one = selector => replay.querySelector(selector);
const data = JSON.parse(replay.dataset.replay), last = data.moments.length - 1, slider = one('input');
const make = (kind, text, title) => {
  const element = document.createElement('span');
  element.className = 'asynclab-chip asynclab-' + kind;
  element.textContent = text;
  if (title) element.title = title;
  return element;
};
const symbols = {running: '▶\uFE0E', ready: '◇', waiting: '‖', ended: '●', until: '⇥', awaiting: '↳'};
const words = {running: 'running from here', ready: 'ready to go on here', new: 'ready to begin here', waiting: 'waiting here',
  until: 'will run until here', awaiting: 'awaits here'};
const show = (moment, value) => {
  replay.dataset.at = moment;
  slider.value = value;
  const {say, counts} = data.moments[moment], tasks = new Map();
  for (const {changes} of data.moments.slice(0, moment + 1))
    for (const [task, state] of changes) { tasks.delete(task); tasks.set(task, data.states[state]); }  // in order of change
  slider.setAttribute('aria-valuetext', say[0]);
  one('.asynclab-when').textContent = `${moment + 1} of ${last + 1} · at ${say[0]}`;
  if (one('.asynclab-said').textContent !== say[1]) one('.asynclab-said').textContent = say[1];
  const cover = one('.asynclab-cover');
  cover.style.left = data.left + data.span * value / 1000 + '%';
  cover.style.display = moment === last ? 'none' : 'block';
  for (const box of all('.asynclab-box')) {
    const kind = box.dataset.kind, here = [...tasks].filter(([, state]) => state[0] === kind);
    const chips = here.map(([task, state]) => make(kind, `${symbols[kind]} ${data.names[task]}${state[1] ? ': ' + state[1] : ''}`));
    const others = counts ? counts[['running', 'ready', 'waiting', 'ended'].indexOf(kind)] - here.length : 0;
    if (others > 0) chips.push(`${chips.length ? '… and ' : ''}${others} more`);
    box.lastElementChild.replaceChildren(...(chips.length ? chips : ['—']));
  }
  for (const line of all('.asynclab-line')) {
    line.classList.remove('asynclab-running', 'asynclab-ready', 'asynclab-waiting');
    line.lastElementChild.replaceChildren();
  }
  const marked = new Map();  // the names of those who do the same at the same line
  for (const [task, [, , marks]] of tasks)
    for (const mark of marks) marked.set(String(mark), [...marked.get(String(mark)) ?? [], data.names[task]]);
  for (const [mark, names] of marked) {
    const [block, number, what] = mark.split(','), kind = what === 'new' ? 'ready' : what;
    const line = one(`[data-line="${block}:${number}"]`);
    if (!line) continue;
    const some = names.length > 4 ? `${names.slice(0, 2).join(', ')} and ${names.length - 2} more` : names.join(', ');
    line.classList.add('asynclab-' + kind);
    line.lastElementChild.append(' ', make(kind, `${symbols[kind]} ${some}: ${words[what]}`, names.join(', ')));
  }
};
const step = moment => {
  replay.dataset.run = '';
  moment = Math.max(0, Math.min(last, moment));
  show(moment, data.moments[moment].at);
};
const drag = value => show(value >= 1000 ? last : Math.max(0, data.moments.findLastIndex(({at}) => at <= value)), value);
const play = () => {
  const run = replay.dataset.run = String(Math.random()), began = performance.now();
  const frame = now => {
    if (replay.dataset.run !== run || !replay.isConnected) return;
    const value = Math.min(1000, Math.max(0, (now - began) / data.lasts * 1000));
    drag(value);
    if (value < 1000) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
};
const at = Number(replay.dataset.at);
const acts = {previous: () => step(at < 0 ? last : at - 1), next: () => step(at + 1), first: () => step(0), last: () => step(last), play};
const keys = {ArrowLeft: 'previous', ArrowRight: 'next', Home: 'first', End: 'last'};
if (event.type === 'input') {
  replay.dataset.run = '';
  drag(Number(slider.value));
} else if (event.type === 'click') {
  acts[event.target.closest('button')?.dataset.act]?.();
} else if (keys[event.key] && !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
  event.preventDefault();
  event.stopPropagation();
  acts[keys[event.key]]();
}
