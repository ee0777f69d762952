"""The pictures of a trace: they are true, whatever is recorded, and soon drawn."""

import re
import time
from array import array
from dataclasses import dataclass, field
from html import unescape
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from asynclab.page import style
from asynclab.tracing import drawing
from asynclab.tracing.awaiting import Place, Waiting
from asynclab.tracing.drawing import draw_crowd, draw_tasks, shown_names, tree
from asynclab.tracing.recorder import Log
from asynclab.tracing.timeline import Timeline


@dataclass(eq=False)
class Row:
    """A task as the recorder tells of it, with its steps: (ready, start, end) or (ready, start, end, awaiting)."""

    name: str = "task"
    steps: list = ()
    coro: str = "module.job"
    created: float = 0.0
    finished: float | None = None
    parent: "Row | None" = None
    root: bool = False
    late: bool = False
    eager: bool = False
    named: bool = True
    outcome: str = "pending"
    error: str = ""
    cancels: list = field(default_factory=list)
    woken: float | None = None
    begins: Place | None = None
    made: Place | None = None


class Made(Timeline):
    """A timeline that was not recorded."""

    tasks = work = duration = truncated = None

    def __init__(self, tasks, callbacks=(), work=(), duration=1.0, truncated=False, title="Made", slow=0.1):
        super().__init__(title, slow=slow)
        self.tasks, self.work, self.duration, self.truncated = list(tasks), list(work), duration, truncated
        runs = [(*(*step, "sleep")[:4], i) for i, row in enumerate(self.tasks) for step in row.steps]
        runs += [(start, start, end, "callback", -1) for start, end in callbacks]
        runs.sort(key=lambda run: run[2])
        names = {}
        places = [names.setdefault(Waiting(run[3], 1), len(names)) for run in runs]
        times = [array("d", [run[k] for run in runs]) for k in range(3)]
        self._log = Log(*times, array("i", [run[4] for run in runs]), array("i", places), list(names))

    def log(self):
        return self._log


def large(tasks, steps=500_000, reasons=5, **row):
    """A timeline of that many steps, taken at random by that many tasks."""
    random = np.random.default_rng(1)
    run, pause = random.exponential(size=(2, steps))
    end = np.cumsum(run + pause)
    start, end = (end - run) / end[-1], end / end[-1]
    rows = [
        Row(f"task {i}", coro=f"module.job_{i % 90}", **{"finished": 1.0, "outcome": "done"} | row)
        for i in range(tasks)
    ]
    made = Made(rows)
    times = [array("d", times.tobytes()) for times in (start - 1e-7, start, end)]
    numbers = random.integers([[0], [0]], [[tasks], [reasons]], (2, steps)).astype(np.int32)
    names = [Waiting(f"wait_{i}", i) for i in range(reasons)]
    made._log = Log(*times, *(array("i", each.tobytes()) for each in numbers), names)
    return made


def call(i=0, name="read", lane="asyncio_0", error="", row=None):
    """A call in a thread, as the recorder tells of it."""
    start = 0.9 * (i % 1000) / 1000
    return SimpleNamespace(name=name, lane=lane, error=error, row=row, submitted=start, start=start, end=start + 5e-4)


# ---------------------------------------------------------------- ink


def periodic(period, share, *, ready=0.0, total=1.0):
    return [(t, t + ready * period, t + (ready + share) * period) for t in np.arange(0, total - period, period)]


def in_turns(tasks, run=1e-4):
    """The steps of tasks that keep the loop busy all the time, each in its turn."""
    starts = np.arange(0, 1 - run, run)
    turns = [starts[i::tasks] for i in range(tasks)]
    return [[(max(0, t - (tasks - 1) * run), t, t + run) for t in turn] for turn in turns]


def at_random(seed, mean_run, mean_rest, long=0.0):
    random, at, steps = np.random.default_rng(seed), 0.0, []
    while at < 0.95:
        ready = at + random.exponential(mean_rest) * random.random()
        start = ready + random.exponential(mean_rest)
        end = start + (random.uniform(0.02, 0.1) if random.random() < long else random.exponential(mean_run))
        if end < 1:
            steps.append((ready, start, end))
        at = end
    return steps


LIVES = {
    "dense and short": [periodic(p, share) for p in (2e-4, 1e-3, 3e-3, 6e-3) for share in (0.03, 0.06, 0.3, 0.8)],
    "two in turns": in_turns(2),
    "seven in turns": in_turns(7),
    "long turns": in_turns(3, 0.05),
    "one long among many": [
        [(0.3, 0.3, 0.7)],
        periodic(1e-3, 0.04),
        [*periodic(5e-4, 0.03, total=0.5), (0.5, 0.5, 0.9)],
    ],
    "bursts": [[(b + i / 1e5, b + i / 1e5, b + i / 1e5 + 1e-6) for b in np.arange(0, 1, 0.1) for i in range(300)]],
    "at random": [at_random(i, run, rest) for i, run in enumerate((1e-5, 1e-3, 5e-3)) for rest in (1e-4, 1e-3, 1e-2)],
    "at random, some long": [at_random(i, 1e-4, 10.0**-i, long=0.05) for i in (1, 2, 3)],
    "all at one instant": [[(0.5, 0.5, 0.5)] * 500, [(0.0, 0.5, 0.5)] * 500],
    "sparse": [periodic(0.05, 0.001), periodic(0.3, 1e-6), [(0.2, 0.2, 0.2)]],
}


@pytest.fixture
def only_running(monkeypatch):
    """Draw what runs in black, and nothing else."""
    for color in ("BLUE", "VERMILLION", "OTHER"):
        monkeypatch.setattr(drawing, color, "#000000")
    for color in ("ORANGE", "READY_FACE", "WAITING", "LINE", "IDLE", "BIRTH", "GRID"):
        monkeypatch.setattr(drawing, color, "#FFFFFF")
    monkeypatch.setitem(drawing._OUTCOMES, "done", ("o", 0, "none", "none", "done"))


def ink(figure, axes, bands):
    """The share of black in each pixel column of bands of the axes: (y, height) each."""
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(200)
    with style.applied():
        canvas.draw()
    pixels = 1 - np.asarray(canvas.buffer_rgba())[::-1, :, 0] / 255
    for y, height in bands:
        corners = [(0, y - height / 2), (axes.get_xlim()[1], y + height / 2)]
        (left, low), (right, high) = np.round(axes.transData.transform(corners)).astype(int)
        low, high = sorted((low, high))
        yield pixels[low + 1 : high - 1, left:right].mean(axis=0)


def ran(steps, windows):
    """The share of each of so many windows in which one of the steps ran."""
    edges = np.linspace(0, 1, windows + 1)
    start, end = np.array([step[1:3] for step in steps]).T
    inside = np.minimum(end, edges[1:, None]) - np.maximum(start, edges[:-1, None])
    return np.maximum(0, inside).sum(axis=1) * windows


def check_ink(rows, slow=0.1):
    made = Made([Row(f"task {i}", steps, finished=1.0, outcome="done") for i, steps in enumerate(rows)], slow=slow)
    figure = draw_tasks(made, slow=slow)
    everything = sorted((step for steps in rows for step in steps), key=lambda step: step[1])
    bands = [(1.2 + i - 0.27, 0.1) for i in range(len(rows))]  # above the words in a bar
    if all(one[2] <= next_[1] for one, next_ in pairwise(everything)):  # rows made up may run at the same time
        rows, bands = [everything, *rows], [(0, 0.2), *bands]  # the loop's lane
    for i, (steps, drawn) in enumerate(zip(rows, ink(figure, figure.axes[0], bands), strict=True)):
        for windows in (1, 8):
            seen = np.array([part.mean() for part in np.array_split(drawn, windows)])
            true, point = ran(steps, windows), windows / 500  # a point of the axis
            # Joined steps may stand a column, three points, off; a bar at either end may be a point wider.
            off = 3 * point * (windows > 1) + 0.01
            assert (true - off <= seen).all() and (seen <= true + 1 / 16 + 2 * point + off).all(), (i, seen - true)


@pytest.mark.parametrize("rows", LIVES.values(), ids=LIVES)
def test_no_row_looks_busier_than_it_was(rows, only_running):
    check_ink(rows)
    check_ink(rows, slow=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_no_row_looks_busier_than_it_was_at_random(seed, only_running):
    random = np.random.default_rng(seed)
    lives = [at_random(seed, 10.0 ** random.uniform(-6, -2), 10.0 ** random.uniform(-4.5, -1), 0.01) for _ in range(4)]
    check_ink([steps for steps in lives if steps])


def test_a_single_short_step_is_seen(only_running):
    steps = [(t, t, t + 1e-7) for t in np.linspace(0.03, 0.97, 20)]
    figure = draw_tasks(Made([Row(steps=steps, finished=1.0, outcome="done")]))
    (drawn,) = ink(figure, figure.axes[0], [(0.93, 0.1)])
    for start, *_ in steps:
        assert drawn[round(start * len(drawn)) - 3 :][:6].max() > 0.9


@pytest.mark.parametrize("tasks", [2, 3])
def test_tasks_that_take_turns_do_not_seem_to_run_at_once(tasks, only_running):
    rows = [Row(steps=steps, finished=1.0, outcome="done") for steps in in_turns(tasks)]
    figure = draw_tasks(Made(rows))
    at_once = sum(ink(figure, figure.axes[0], [(0.93 + i, 0.1) for i in range(tasks)]))
    assert np.mean(at_once > 1.5) < 0.1


def test_no_thread_looks_busier_than_it_was(only_running, monkeypatch):
    monkeypatch.setattr(drawing, "GREEN", "#000000")
    made = root_with(lambda row: [call(i, lane=f"thread {i % 20}", row=row) for i in range(1000)])
    figure = draw_tasks(made)
    lanes = ink(figure, figure.axes[0], [(2.55 + lane, 0.3) for lane in range(12)])
    for lane in lanes:  # each had 50 calls of 0.5 ms in a second
        assert 0.02 < lane.mean() < 0.025 + 1 / 16
    monkeypatch.setattr(drawing, "_LANES", 0)  # all in one lane: half of the height is drawn where half of them work
    figure = draw_tasks(made)
    (pool,) = ink(figure, figure.axes[0], [(2.55, 0.7)])
    assert pool.mean() == pytest.approx(0.025, abs=0.01)


def test_no_line_of_a_crowd_looks_busier_than_it_was(only_running):
    lives = [at_random(seed, 10.0 ** -(2 + seed % 4), 10.0 ** -(1 + seed % 3)) for seed in range(40)]
    figure = draw_crowd(Made([Row(steps=steps, finished=1.0) for steps in lives]))
    (image,) = [image for axes in figure.axes for image in axes.images]
    for steps, line in zip(lives, 1 - np.asarray(image.get_array())[:, :, 0], strict=True):
        seen, true = line.reshape(9, 100).mean(axis=1), ran(steps, 9)
        assert (true - 0.01 <= seen).all() and (seen <= true + 1 / 16 + 0.03).all(), seen - true


# ---------------------------------------------------------------- size


def root_with(work):
    row = Row("Task-1", root=True)
    return Made([row], work=[*work(row)])


LARGE = {
    "500,000 steps of 2 tasks": lambda: large(2),
    "500,000 steps of 29 tasks": lambda: large(29),
    "500,000 steps of 10,000 tasks": lambda: large(10_000),
    "10,000 tasks cancelled": lambda: large(
        10_000, 50_000, outcome="cancelled", cancels=[SimpleNamespace(when=0.5)] * 2
    ),
    "5,000 cancels a task": lambda: large(
        20, 50_000, cancels=[SimpleNamespace(when=when) for when in np.linspace(0, 1, 5000)]
    ),
    "500,000 things waited for": lambda: large(25, reasons=500_000),
    "every step blocks": lambda: large(3, 100_000),
    "100,000 callbacks": lambda: Made([Row(root=True)], callbacks=[(i / 1e5, i / 1e5 + 1e-6) for i in range(100_000)]),
    "1,000 kinds of error": lambda: Made(
        [
            Row(f"task {i}", coro=f"job_{i}", outcome="raised", error=f"Error{i}" * 9, finished=i / 1000)
            for i in range(1000)
        ]
    ),
    "1,600 calls in a thread": lambda: root_with(lambda row: [call(i, row=row) for i in range(1600)]),
    "5,000 functions in 500 threads": lambda: root_with(
        lambda row: [call(i, f"function_{i}", f"thread_{i % 500}", row=row) for i in range(5000)]
    ),
    "a crowd and its threads": lambda: Made(
        large(100, 1000).tasks, work=[call(i, f"function_{i % 70}", error="OSError" * (i % 2)) for i in range(5000)]
    ),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_whatever_is_recorded_is_soon_shown_and_soon_read(make):
    made = make()
    if make is LARGE["every step blocks"]:
        made.slow = 1e-9
    began = time.process_time()
    shown = made._repr_mimebundle_()
    assert time.process_time() - began < 10  # about 1 s where nothing else runs
    lines = shown["text/plain"].splitlines()
    assert len(lines) <= 60 and max(map(len, lines)) < 400
    alt = unescape(re.search('<img alt="([^"]+)"', shown["text/html"])[1])
    assert alt == made.alt() and len(alt) < 1500
    assert len(shown["text/html"]) < 1_000_000


def test_a_table_leaves_no_task_out():
    table = LARGE["1,000 kinds of error"]().table()
    counts = re.findall(r"(?:raised \S+|more kinds) +(\d+) ", table)
    assert len(counts) == 56 and sum(map(int, counts)) == 1000


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("1,600 calls in a thread", [r"^1600 calls of read in threads +done +0 s +900 ms +800 ms +500 µs$"]),
        ("5,000 functions in 500 threads", [r"^… and 49\d\d more calls +\d"]),
        ("a crowd and its threads", [r"^72 calls of function_0 in threads +done +36.0 ms", r"^… and \d+ more calls"]),
    ],
)
def test_calls_in_threads_are_summed_up_where_there_are_many(kind, lines):
    table = LARGE[kind]().table()
    for line in lines:
        assert re.search(line, table, re.M), table


def test_what_a_task_waited_for_is_cut_with_a_count():
    steps = [(t / 1000, t / 1000, t / 1000, f"wait {t % 300}") for t in range(900)]
    table = Made([Row(steps=steps)]).table()
    assert table.endswith("wait 0, wait 1, wait 2, wait 3, wait 4, wait 5, wait 6, wait 7, … and 292 more")


# ---------------------------------------------------------------- anything


AWKWARD = [
    "costs $5 or $6",
    r"$\\nonsense{$",
    "<b>&amp;\"'",
    "x" * 10_000,
    "",
    "名前 🐍",
    "two\nlines\r\n\t",
    "\x1b[31m\0",
    "\ud800",
]


@pytest.mark.parametrize("name", AWKWARD, ids=range(9))
@pytest.mark.parametrize("tasks", [2, 40])
def test_any_name_is_safe_in_picture_and_words(name, tasks):
    rows = [
        Row(name, [(0, 0, 0.01, name)], coro=name, outcome="raised", error=name, finished=0.9) for _ in range(tasks)
    ]
    shown = Made(rows, work=[call(0, name, name, name, rows[0])], title=name)._repr_mimebundle_()
    lines = shown["text/plain"].splitlines()
    assert len(lines) == 3 + (tasks if tasks < 30 else 1) + 1
    assert max(map(len, lines)) < 400
    assert all(line.isprintable() for line in lines)
    assert "<b>" not in shown["text/html"]
    shown["text/html"].encode()


def test_a_name_that_was_given_is_kept():
    given, default = Row("Task-1", coro="module.fetch"), Row("Task-2", coro="module.fetch", named=False)
    assert list(shown_names([given, default]).values()) == ["Task-1", "fetch"]


def test_children_of_children_without_end():
    rows = [Row("0")]
    for depth in range(1, 5000):
        rows.append(Row(str(depth), parent=rows[-1]))
    assert [(row.name, depth) for row, depth in tree(rows)] == [(str(depth), depth) for depth in range(5000)]
    assert Made(rows).plot()


@pytest.mark.parametrize("tasks", [1, 40])
@pytest.mark.parametrize(
    ("steps", "row", "options"),
    [
        ([], {}, {}),
        ([], {"outcome": "cancelled", "finished": 0.0}, {"duration": 0.0}),
        ([(0, 0, 0)], {"outcome": "done", "finished": 0.0}, {"duration": 0.0, "callbacks": [(0, 0)]}),
        ([(0, 0, 1)], {}, {"callbacks": [(0, 1)]}),
        ([(0, 0, 0.5)], {"outcome": "raised", "error": "E", "finished": 1.0}, {"truncated": True}),
        ([], {}, {"truncated": True}),
    ],
)
def test_a_trace_of_next_to_nothing(tasks, steps, row, options):
    rows = [Row(f"task {i}", steps, root=i == 0, **row) for i in range(tasks)]
    made = Made(rows, **options)
    assert made._repr_mimebundle_()["text/plain"] == made.table()
    assert made.replay()


def test_what_was_not_recorded_is_not_drawn_as_waiting():
    made = Made([Row(steps=[(0, 0, 0.25)])], truncated=True)
    assert "busy 100 %" in made.table() and "250 ms       0 s       0 s  sleep" in made.table()
    assert "what came after 250 ms is not shown" in made.alt()
    assert "not recorded" in [text.get_text() for text in draw_tasks(made).axes[0].texts]
