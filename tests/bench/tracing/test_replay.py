"""The replay: what it tells of each moment is what was recorded, in the code in which it happened."""

import asyncio
import contextlib
import gc
import html
import json
import linecache
import re
import sys
import time
from bisect import bisect_right
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynclab import trace
from asynclab.tracing.drawing import Record
from asynclab.tracing.moments import MOMENTS, TASKS, Moments


def traced(scene, title="Scene", **options):
    """Trace `scene` in a loop of its own."""

    async def main():
        with trace(title, **options) as timeline:
            await scene()
        return timeline

    return asyncio.run(main())


async def worker():
    await asyncio.sleep(0.02)


async def boss():
    task = asyncio.create_task(worker(), name="worker")
    time.sleep(0.06)
    await task


async def boss_first():
    await asyncio.create_task(boss(), name="boss")


async def inner(event):
    await event.wait()


async def outer(event):
    await inner(event)


async def everything_that_can_happen():
    async def fail():
        await asyncio.sleep(0.005)
        raise ValueError

    event = asyncio.Event()
    with trace("Everything") as all_of_it:
        asyncio.get_running_loop().call_later(0.004, event.set)
        with contextlib.suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(fail(), name="fails")
                group.create_task(asyncio.sleep(60), name="cancelled")
                group.create_task(outer(event), name="waits for an event")
                group.create_task(asyncio.to_thread(time.sleep, 0.001), name="in a thread")
        pending = asyncio.create_task(outer(asyncio.Event()), name="pending")
        await asyncio.sleep(0.001)
    pending.cancel()
    await asyncio.wait([pending])
    return all_of_it


async def take(steps):
    for _ in range(steps):
        await asyncio.sleep(0)


def turns(tasks, steps):
    return traced(lambda: asyncio.gather(*[take(steps) for _ in range(tasks)]))


class Elements(HTMLParser):
    """The attributes of every element of a page, and the names of the elements."""

    def __init__(self, page):
        super().__init__()
        self.found, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.open += [tag] if tag not in ("img", "input") else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "elements are nested as they are closed"


def shown(timeline):
    """A replay's HTML, its elements, and what its script is given."""
    page = timeline.replay()._repr_mimebundle_()["text/html"]
    elements = Elements(page)
    assert not elements.open
    return page, elements.found, json.loads(elements.found[0][1]["data-replay"])


def followed(timeline):
    """The moments, and what each task was doing after each of them; who changed last is last."""
    moments, states, known = Moments(Record(timeline), timeline.slow), [], {}
    for moment in moments.moments:
        for k, state in moment.changes:
            known.pop(moments.names[k], None)
            known[moments.names[k]] = state
        states.append(dict(known))
    return moments, states


def line(function, number):
    """A line of a function in a file, counted from its `def`."""
    return function.__code__.co_firstlineno + number


async def a_callback_blocks():
    asyncio.get_running_loop().call_soon(time.sleep, 0.05)
    await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


async def twins():
    async def joins(task):
        await task

    tasks = [asyncio.create_task(worker(), name="twin") for _ in range(2)]
    await joins(tasks[0])
    await tasks[1]


async def inner_trace():
    with trace("Inner"):
        await asyncio.create_task(worker(), name="worker")


async def cancelled():
    task = asyncio.create_task(worker(), name="worker")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def eager():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    await asyncio.create_task(worker(), name="eager")


HAS_EAGER_TASKS = pytest.mark.skipif(sys.version_info < (3, 12), reason="no eager tasks before 3.12")
BOSS_FIRST = [
    "the trace begins",
    r"this cell runs on from line \d+ \(with trace\(",
    r"this cell creates boss at line \d+ \(await asyncio.create_task\(boss\(\), .*\): boss is ready",
    r"this cell suspends at line \d+ .* and waits for task boss",
    "boss starts",
    rf"boss creates worker at line {line(boss, 1)} \(task = asyncio.create_task.*: worker is ready",
    r"boss keeps the loop for \d",
    rf"boss suspends at line {line(boss, 3)} \(await task\) and waits for task worker",
    "worker starts",
    rf"worker suspends at line {line(worker, 1)} \(await asyncio.sleep\(0.02\)\) and waits for sleep",
    "nothing is ready: the loop sleeps",
    rf"worker’s sleep is over: it (goes on from line {line(worker, 1)}|is ready again)",
    "worker ends",
    rf"boss’s wait for task worker is over: it (goes on from line {line(boss, 3)} \(await task\)|is ready again)",
    "boss ends",
    r"this cell’s wait for task boss is over: it (goes on from line \d+|is ready again)",
    "this cell leaves the block: the trace ends",
]


@pytest.mark.parametrize(
    "scene, said, never",
    [
        (boss_first, BOSS_FIRST, []),
        (
            everything_that_can_happen,
            [
                "fails raises ValueError and ends",
                "cancelled is woken, to be cancelled: it",
                "cancelled ends, cancelled",
            ],
            ["cancelled’s sleep is over"],
        ),
        (a_callback_blocks, ["no task is ready: the loop runs callbacks", "nothing is ready: the loop sleeps"], []),
        (twins, ["task twin"], ["task twin 1", "task twin 2"]),
        (inner_trace, [r"creates worker at line \d+ \(await asyncio.create_task\(worker"], []),
        (cancelled, ["this cell cancels worker; worker is woken, to be cancelled: it is ready again"], []),
        pytest.param(
            eager,
            [r"this cell creates eager at line \d+ .*: it runs at once", "eager suspends at line"],
            [],
            marks=HAS_EAGER_TASKS,
        ),
    ],
)
def test_what_is_said(scene, said, never):
    timeline = traced(scene, slow=0.05)
    told, at = "\n".join(moment.sentence for moment in followed(timeline)[0].moments), 0
    for words in said:  # on a busy machine there may be more
        found = re.compile(words).search(told, at)
        assert found, f"{words} not in {told[at:]}"
        at = found.end()
    assert not [words for words in never if words in told + timeline.table()]


def test_a_new_task_is_ready_until_its_creator_suspends():
    _, states = followed(traced(boss_first))
    create, last = line(boss, 1), line(boss, 3)
    kinds = [(each["boss"].kind, each["worker"].kind) for each in states if "worker" in each]
    assert kinds.index(("running", "ready")) < kinds.index(("waiting", "running")) < kinds.index(("waiting", "waiting"))
    marks = [[(mark.place.line, mark.kind) for mark in each["boss"].marks] for each in states if "boss" in each]
    assert marks.index([(create, "running"), (last, "until")]) < marks.index([(last, "waiting")])
    assert [(line(boss, 0), "running"), (last, "until")] in marks


@HAS_EAGER_TASKS
def test_after_an_eager_task_its_creator_runs_on_from_where_it_was():
    moments, states = followed(traced(eager))
    back = next(k for k, moment in enumerate(moments.moments) if "eager suspends" in moment.sentence)
    marks = [(mark.kind, mark.place.line) for each in states[back:] for mark in each["this cell"].marks]
    assert ("running", line(eager, 2)) in marks


def test_who_is_ready_stands_in_line():
    event = asyncio.Event()

    async def waits(turns):
        await take(turns)
        await event.wait()

    async def woken():
        async with asyncio.TaskGroup() as group:
            for name, turns in (("third", 2), ("second", 1), ("first", 0)):
                group.create_task(waits(turns), name=name)
            await asyncio.sleep(0.01)
            await asyncio.create_task(opens(), name="opens")

    async def opens():
        event.set()

    _, states = followed(traced(woken))
    lines = [[name for name, state in each.items() if state.kind == "ready"] for each in states]
    assert ["second", "third", "this cell"] in lines


def test_the_code_is_that_of_the_users_functions_and_the_cells_with_statement():
    moments, states = followed(asyncio.run(everything_that_can_happen()))
    code = {block.name: "\n".join(block.lines.values()) for block in moments.code.values()}
    assert sorted(code) == ["everything_that_can_happen", "fail", "inner", "outer"]
    cell = code["everything_that_can_happen"]
    assert cell.startswith('with trace("Everything") as all_of_it:') and "pending.cancel()" not in cell
    assert moments.hidden == ["cancelled", "in a thread"], "a library's code is not shown"
    marks = [(mark.place.function, mark.kind) for mark in states[-1]["pending"].marks]
    assert marks == [("outer", "awaiting"), ("inner", "waiting")]


acts = st.deferred(
    lambda: st.lists(
        st.one_of(
            st.tuples(st.just("sleep"), st.sampled_from([0, 0, 0.001, 0.002])),
            st.tuples(st.sampled_from(["spawn", "gather", "deadline", "swallow"]), acts),
            st.tuples(st.sampled_from(["cancel", "await"]), st.integers(0, 3)),
            st.sampled_from([("block",), ("raise",), ("thread",), ("callback",), ("lose",), ("set",), ("wait",)]),
        ),
        max_size=4,
    )
)


async def perform(program, tasks, event):
    """Do what a random program says: (what, with what) each."""
    for act, *what in program:
        if act == "sleep":
            await asyncio.sleep(*what)
        elif act == "spawn":
            tasks.append(asyncio.create_task(perform(*what, tasks, event)))
        elif act == "gather":
            await asyncio.gather(*[perform(*what, tasks, event) for _ in range(2)], return_exceptions=True)
        elif act == "deadline":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.002):
                    await perform(*what, tasks, event)
        elif act == "swallow":
            with contextlib.suppress(asyncio.CancelledError, ZeroDivisionError):
                await perform(*what, tasks, event)
        elif act == "cancel" and tasks:
            tasks[what[0] % len(tasks)].cancel()
        elif act == "await" and tasks:
            await asyncio.wait([tasks[what[0] % len(tasks)]], timeout=0.003)
        elif act == "block":
            time.sleep(0.001)
        elif act == "raise":
            raise ZeroDivisionError
        elif act == "thread":
            await asyncio.to_thread(time.sleep, 0.001)
        elif act == "callback":
            asyncio.get_running_loop().call_soon(time.sleep, 0.001)
        elif act == "lose":
            asyncio.create_task(perform([("wait",)], tasks, asyncio.Event()))  # noqa: RUF006
            gc.collect(0)
        elif act == "set":
            event.set()
            event.clear()
        elif act == "wait":
            await event.wait()


async def performed(program, eager):
    loop, tasks = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda *_: None)
    if eager and sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    with trace("Random", slow=0.002) as random, contextlib.suppress(ZeroDivisionError, TimeoutError):
        async with asyncio.timeout(0.1):
            await perform(program, tasks, asyncio.Event())
    while pending := [task for task in tasks if task.cancel()]:  # one may swallow a cancellation, and go on
        await asyncio.wait(pending, timeout=0.01)
    await asyncio.gather(*tasks, return_exceptions=True)
    return random


def kind_at(when, row, end):
    """What a task was doing then, from its steps alone; None if it was not there yet."""
    if when < row.created:
        return None
    if when >= (end if row.root else row.finished or end + 1):
        return "ended"
    before = [step for step in row.steps if step.start <= when]
    if before and when < before[-1].end:
        return "running"
    coming = row.steps[len(before)].ready if len(before) < len(row.steps) else row.woken
    return "ready" if not before or (coming is not None and coming <= when) else "waiting"


def is_what_was_recorded(timeline):
    """See that every box holds, after every moment, what the recorder tells."""
    rows, end = timeline.tasks, timeline.duration
    times = {when for row in rows for step in row.steps for when in step[:3]} | {end}
    times = sorted(times.union(*[{row.created, row.finished, row.woken} for row in rows]) - {None})
    moments, known = Moments(Record(timeline), timeline.slow), {}
    assert [moment.when for moment in moments.moments] == sorted(moment.when for moment in moments.moments)
    for moment in moments.moments:
        known |= dict(moment.changes)
        kinds = [known[k].kind if k in known else None for k in moments.followed]
        assert kinds.count("running") <= moment.counts[0] <= 1 and moment.sentence.strip(" .")
        if len(rows) <= TASKS:
            assert [kinds.count(kind) for kind in ("running", "ready", "waiting", "ended")] == [*moment.counts]
        later = [*times, end + 1][bisect_right(times, moment.when + 2e-9)]
        if later - moment.when > 1e-7:  # nothing happened in between
            real = [kind_at((moment.when + later) / 2, row, end) for row in rows[: len(kinds)]]
            cut = [k in known and known[k].words == "the task that it runs" for k in moments.followed]
            assert [kind for kind, is_cut in zip(kinds, cut, strict=True) if not is_cut] == [
                kind for kind, is_cut in zip(real, cut, strict=True) if not is_cut
            ], moment
            assert "running" not in real or "sleeps" not in moment.sentence
    assert [known[k].kind == "ended" for k in moments.followed] == [
        row.root or row.finished is not None for row in rows[: len(moments.followed)]
    ]


@settings(max_examples=25, deadline=None, database=None)
@given(acts, st.booleans())
@example([("lose",), ("sleep", 0.001), ("lose",), ("sleep", 0)], False)
def test_every_box_holds_what_the_recorder_tells(program, eager):
    is_what_was_recorded(asyncio.run(performed(program, eager)))


@pytest.mark.parametrize(
    "record",
    [lambda: asyncio.run(everything_that_can_happen()), lambda: turns(3, 40), lambda: turns(50, 9)],
    ids=["everything", "few", "many"],
)
def test_so_it_does_where_there_is_much_to_tell(record):
    is_what_was_recorded(record())


@pytest.mark.parametrize("tasks, steps", [(2, 300), (2, 12_000), (400, 20)])
def test_a_long_trace_is_bounded_and_says_so(tasks, steps):
    page, _, data = shown(turns(tasks, steps))
    assert len(data["moments"]) == MOMENTS and len(data["names"]) <= TASKS
    assert len(page) < 300_000
    assert "the 200 that lasted longest are shown" in page
    assert ("the first 30 are followed" in page) == (tasks > TASKS)
    assert any("changes in " in moment["say"][1] for moment in data["moments"])


def test_of_many_steps_a_sleep_in_between_is_a_moment():
    async def sleeper():
        for k in range(15_000):
            await asyncio.sleep(0.05 if k in (5_000, 10_000) else 0)

    moments, states = followed(traced(lambda: asyncio.create_task(sleeper(), name="sleeper")))
    sleeps = [k for k, each in enumerate(states[:-1]) if each.get("sleeper", each["this cell"]).kind == "waiting"]
    assert sum(moments.moments[k + 1].when - moments.moments[k].when > 0.045 for k in sleeps) == 2
    assert not any("keeps the loop" in moment.sentence for moment in moments.moments)


def test_beyond_its_limit_a_trace_tells_of_nothing():
    async def three():
        for name, steps in (("short", 1), ("long", 20), ("unseen", 1)):
            await asyncio.create_task(take(steps), name=name)

    page, _, data = shown(traced(three, limit=12))
    told = " ".join(moment["say"][1] for moment in data["moments"])
    assert "long starts" in told and not re.search("long ends|unseen|the trace ends", told)
    assert ">Only the first 12 steps were kept" in page, "below the picture"


LATE = "async def late():\n    '\u2028'\n    await asyncio.sleep(0)\n    await asyncio.sleep(0)\n"


@pytest.mark.parametrize(
    "now, lines",
    [(LATE, 4), ("# moved\n" + LATE, 0), ("async def other():\n    pass\n", 0), ("x = (", 0), (None, 0)],
    ids=["as it was", "moved", "renamed", "broken", "gone"],
)
def test_code_that_is_not_what_it_was_is_not_shown(tmp_path, now, lines):
    file, names = tmp_path / "changing.py", {"asyncio": asyncio}
    exec(compile(LATE, str(file), "exec"), names)
    if now is not None:
        file.write_text(now, "utf-8")
    linecache.checkcache()
    timeline = traced(lambda: asyncio.gather(names["late"](), worker()))
    block = next(block for block in followed(timeline)[0].code.values() if block.name == "late")
    assert len(block.lines) == lines and (not lines or block.lines[4] == "    await asyncio.sleep(0)")
    page, _, data = shown(timeline)
    assert ("late: its source is not available" in page) == (not lines) and "async def worker" in page
    assert any("late suspends at line 3" in moment["say"][1] for moment in data["moments"])


def test_its_marks_lie_on_lines_that_are_shown():
    page, elements, data = shown(asyncio.run(everything_that_can_happen()))
    lines = {attributes["data-line"] for _, attributes in elements if "data-line" in attributes}
    marked = {f"{block}:{line}" for _, _, marks in data["states"] for block, line, _ in marks}
    assert marked and marked <= lines
    assert " id=" not in page, "two replays in a page must not meet"
    assert "display:none" in page, "where scripts do not run, all of the picture is seen"
    steps = html.unescape(page).partition("Step by step")[2]
    assert all(moment["say"][1] in steps for moment in data["moments"])


@pytest.mark.parametrize(
    "name", ["</div>", "\"><script>alert('1')</script>", "<!-- end of the moments -->", "a&quot;b", "名前"]
)
def test_any_name_is_text(name):
    page, elements, data = shown(traced(lambda: asyncio.create_task(worker(), name=name), name))
    assert data["names"] == ["this cell", name]
    assert [tag for tag, _ in elements].count("script") == 0
    assert page.count("<!-- end of the moments -->") == page.count("<!-- moments, as measured -->") == 3


def test_the_replay_of_an_open_trace_shows_what_there_is():
    async def main():
        with trace("Open") as so_far:
            task = asyncio.create_task(worker(), name="worker")
            await asyncio.sleep(0.001)
            page = so_far.replay()._repr_mimebundle_()["text/html"]
            await task
        return page

    assert "worker suspends at line" in asyncio.run(main())
