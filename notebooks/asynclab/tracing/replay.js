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
  const before = replay.dataset.at;
  replay.dataset.at = moment;
  slider.value = value;
  const {say, counts} = data.moments[moment], tasks = new Map();
  slider.setAttribute('aria-valuetext', say[0]);
  const cover = one('.asynclab-cover');
  cover.style.left = data.left + data.span * value / 1000 + '%';
  cover.style.display = moment === last ? 'none' : 'block';
  if (before === String(moment)) return;
  for (const {changes} of data.moments.slice(0, moment + 1))
    for (const [task, state] of changes) { tasks.delete(task); tasks.set(task, data.states[state]); }  // in order of change
  one('.asynclab-when').textContent = `${moment + 1} of ${last + 1} · at ${say[0]}`;
  one('.asynclab-said').textContent = say[1];
  for (const [place, box] of all('.asynclab-box').entries()) {
    const kind = box.dataset.kind, here = [...tasks].filter(([, state]) => state[0] === kind);
    const chips = here.map(([task, state]) => make(kind, `${symbols[kind]} ${data.names[task]}${state[1] ? ': ' + state[1] : ''}`));
    const others = counts[place] - here.length;
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
const turn = run => {  // what is read aloud keeps up with steps, but not with a film
  replay.dataset.run = run;
  one('[data-act=play]').textContent = run ? 'Pause' : 'Play';
  one('.asynclab-said').setAttribute('aria-live', run ? 'off' : 'polite');
};
const step = moment => {
  turn('');
  moment = Math.max(0, Math.min(last, moment));
  show(moment, data.moments[moment].at);
};
const drag = (value, still) => {
  const moment = Math.max(0, data.moments.findLastIndex(({at}) => at <= value));
  show(moment, still ? data.moments[moment].at : value);
};
const play = () => {
  if (replay.dataset.run) return turn('');
  const run = String(Math.random()), from = at < 0 || at === last ? 0 : Number(slider.value);
  const began = performance.now() - from / 1000 * data.lasts, still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  turn(run);
  const frame = now => {
    if (replay.dataset.run !== run || !replay.isConnected) return;
    const value = Math.min(1000, Math.max(0, (now - began) / data.lasts * 1000));
    drag(value, still);
    if (value < 1000) requestAnimationFrame(frame);
    else turn('');
  };
  requestAnimationFrame(frame);
};
const at = Number(replay.dataset.at);
const acts = {previous: () => step(at < 0 ? last : at - 1), next: () => step(at + 1), first: () => step(0), last: () => step(last), play,
  leave: () => replay.parentElement.closest('[tabindex]')?.focus()};
const keys = {ArrowLeft: 'previous', ArrowRight: 'next', Home: 'first', End: 'last', Escape: 'leave'};
// Plain keys are the replay's own where the focus is in it, those with a modifier are the page's. JupyterLab asks the very
// element that has the focus.
const modified = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
for (const element of [replay, ...all('button, input')])
  element.toggleAttribute('data-lm-suppress-shortcuts', event.type !== 'keydown' || !modified);
if (event.type === 'input') {
  turn('');
  drag(Number(slider.value));
} else if (event.type === 'click') {
  acts[event.target.closest('button')?.dataset.act]?.();
} else if (event.type === 'keydown' && keys[event.key] && !modified) {
  event.preventDefault();
  event.stopPropagation();
  acts[keys[event.key]]();
}
