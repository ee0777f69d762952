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
from hypothesis import given, settings
from hypothesis import strategies as st

from asynclab import trace
from asynclab.tracing.drawing import Record
from asynclab.tracing.moments import MOMENTS, TASKS, Moments


async def worker():
    await asyncio.sleep(0.02)


async def boss():
    task = asyncio.create_task(worker(), name="worker")
    time.sleep(0.06)
    await task


async def inner(event):
    await event.wait()


async def outer(event):
    await inner(event)


async def boss_first():
    with trace("When does a task start?", slow=0.05) as first:
        await asyncio.create_task(boss(), name="boss")
    return first


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


async def turns(tasks, steps):
    async def take():
        for _ in range(steps):
            await asyncio.sleep(0)

    with trace("Turns") as taken:
        await asyncio.gather(*[take() for _ in range(tasks)])
    return taken


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
    """The moments, and what each task was doing after each of them."""
    moments, states, known = Moments(Record(timeline), timeline.slow), [], {}
    for moment in moments.moments:
        known |= {moments.names[k]: state for k, state in moment.changes}
        states.append(dict(known))
    return moments, states


def line(function, number):
    """A line of a function in a file, counted from its `def`."""
    return function.__code__.co_firstlineno + number


def test_a_new_task_is_ready_until_its_creator_suspends():
    moments, states = followed(asyncio.run(boss_first()))
    told = [clause for moment in moments.moments for clause in moment.sentence.rstrip(".").split("; ")]
    create, last, sleep = line(boss, 1), line(boss, 3), line(worker, 1)
    expected = [
        "the trace begins",
        r"this cell runs on from line \d+ \(with trace\(",
        r"this cell creates boss at line \d+ \(await asyncio.create_task\(boss\(\), .*\): boss is ready",
        r"this cell suspends at line \d+ .* and waits for task boss",
        "boss starts",
        rf"boss creates worker at line {create} \(task = asyncio.create_task.*: worker is ready",
        r"boss keeps the loop for \d",
        rf"boss suspends at line {last} \(await task\) and waits for task worker",
        "worker starts",
        rf"worker suspends at line {sleep} \(await asyncio.sleep\(0.02\)\) and waits for sleep",
        "nothing is ready: the loop sleeps",
        rf"worker’s sleep is over: it (goes on from line {sleep}|is ready again)",
        "worker ends",
        rf"boss’s wait for task worker is over: it (goes on from line {last} \(await task\)|is ready again)",
        "boss ends",
        r"this cell’s wait for task boss is over: it (goes on from line \d+|is ready again)",
        "this cell leaves the block: the trace ends",
    ]
    clauses = iter(told)  # on a busy machine there may be more
    assert all(any(re.match(words, clause) for clause in clauses) for words in expected), "\n".join(told)
    kinds = [[each[name].kind for name in ("boss", "worker")] for each in states if "worker" in each]
    for before, after in (
        (("running", "ready"), ("waiting", "running")),
        (("waiting", "running"), ("waiting", "waiting")),
    ):
        assert kinds.index([*before]) < kinds.index([*after])
    marks = [[(mark.place.line, mark.kind) for mark in each["boss"].marks] for each in states if "boss" in each]
    assert marks.index([(create, "running"), (last, "until")]) < marks.index([(last, "waiting")])
    assert [(line(boss, 0), "running"), (last, "until")] in marks


def test_every_function_is_shown_once_and_the_cell_by_its_with_statement():
    moments, _ = followed(asyncio.run(everything_that_can_happen()))
    blocks = [*moments.code.values()]
    assert sorted(block.name for block in blocks) == ["everything_that_can_happen", "fail", "inner", "outer"]
    cell = next(block for block in blocks if block.name == "everything_that_can_happen")
    code = [*cell.lines.values()]
    assert code[0] == 'with trace("Everything") as all_of_it:' and "pending.cancel()" not in "".join(code)
    assert moments.hidden == ["cancelled", "in a thread"], "a library's code is not shown"


def test_what_is_awaited_further_in_is_marked_in_each_function():
    _, states = followed(asyncio.run(everything_that_can_happen()))
    marks = [(mark.place.function, mark.kind) for mark in states[-1]["pending"].marks]
    assert marks == [("outer", "awaiting"), ("inner", "waiting")]


@pytest.mark.parametrize("scene", [everything_that_can_happen, boss_first, lambda: turns(3, 40), lambda: turns(50, 9)])
def test_one_runs_at_a_time_and_all_are_somewhere(scene):
    timeline = asyncio.run(scene())
    moments, states = followed(timeline)
    for moment, each in zip(moments.moments, states, strict=True):
        kinds = [state.kind for state in each.values()]
        assert kinds.count("running") <= 1 and moment.counts[0] <= 1 and min(moment.counts) >= 0
        if len(timeline.tasks) <= TASKS:
            assert [kinds.count(kind) for kind in ("running", "ready", "waiting", "ended")] == [*moment.counts]
    last = [*states[-1].items()][:TASKS]
    assert {name for name, state in last if state.kind != "ended"} <= {"pending"}
    assert [moment.when for moment in moments.moments] == sorted(moment.when for moment in moments.moments)


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
    with trace("Random", slow=0.002) as traced, contextlib.suppress(ZeroDivisionError, TimeoutError):
        async with asyncio.timeout(0.1):
            await perform(program, tasks, asyncio.Event())
    for task in tasks:
        task.cancel()
    while not all(task.done() for task in tasks):  # one may swallow a cancellation, and go on
        await asyncio.wait(tasks, timeout=0.01)
        [task.cancel() for task in tasks]
    await asyncio.gather(*tasks, return_exceptions=True)
    return traced


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


@settings(max_examples=25, deadline=None, database=None)
@given(acts, st.booleans())
def test_every_box_holds_what_the_recorder_tells(program, eager):
    timeline = asyncio.run(performed(program, eager))
    rows, end = timeline.tasks, timeline.duration
    times = {when for row in rows for step in row.steps for when in step[:3]} | {end}
    times = sorted(times.union(*[{row.created, row.finished, row.woken} for row in rows]) - {None})
    moments, known = Moments(Record(timeline), timeline.slow), {}
    for moment in moments.moments:
        known |= dict(moment.changes)
        shown_now = [known[k].kind if k in known else None for k in moments.followed]
        assert shown_now.count("running") <= 1 and moment.sentence.strip(" .")
        later = [*times, end + 1][bisect_right(times, moment.when + 2e-9)]
        if later - moment.when > 1e-7:  # nothing happened in between
            then = (moment.when + later) / 2
            real = [kind_at(then, row, end) for row in rows[: len(shown_now)]]
            cut = [known[k].words == "the task that it runs" if k in known else False for k in moments.followed]
            assert [*zip(real, cut, strict=True)] == [
                (real[k] if cut[k] else kind, cut[k]) for k, kind in enumerate(shown_now)
            ], f"{program}: {moment}"
            assert "running" not in real or "sleeps" not in moment.sentence
    assert [known[k].kind == "ended" for k in moments.followed] == [
        row.root or row.finished is not None for row in rows[: len(moments.followed)]
    ]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no eager tasks before 3.12")
def test_an_eager_task_runs_within_its_creator():
    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        with trace("Eager") as eager:
            task = asyncio.create_task(worker(), name="eager")
            await task
        return eager

    moments, states = followed(asyncio.run(main()))
    assert re.search(r"this cell creates eager at line \d+ .*: it runs at once", moments.moments[1].sentence)
    assert [states[1][name].kind for name in ("this cell", "eager")] == ["waiting", "running"]
    assert "eager suspends at line" in moments.moments[2].sentence and states[2]["this cell"].kind == "running"


def test_a_cancelled_task_is_not_said_to_have_slept():
    moments, _ = followed(asyncio.run(everything_that_can_happen()))
    told = " ".join(moment.sentence for moment in moments.moments)
    assert "cancelled is woken, to be cancelled: it" in told and "cancelled ends, cancelled" in told
    assert "cancelled’s sleep is over" not in told and "fails raises ValueError and ends" in told


def test_a_callback_that_blocks_is_no_sleep():
    async def main():
        with trace("Blocked") as blocked:
            asyncio.get_running_loop().call_soon(time.sleep, 0.05)
            await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        return blocked

    told = " ".join(moment.sentence for moment in Moments(Record(asyncio.run(main()))).moments)
    assert told.index("no task is ready: the loop runs callbacks") < told.index("nothing is ready: the loop sleeps")


@pytest.mark.parametrize("tasks, steps", [(2, 300), (2, 12_000), (400, 20)])
def test_a_long_trace_is_bounded_and_says_so(tasks, steps):
    taken = asyncio.run(turns(tasks, steps))
    page, _, data = shown(taken)
    assert len(data["moments"]) == MOMENTS and len(data["names"]) <= TASKS
    assert len(page) < 300_000
    assert "the 200 that lasted longest are shown" in page
    assert ("the first 30 are followed" in page) == (tasks > TASKS)
    assert any("changes in " in moment["say"][1] for moment in data["moments"])


def test_of_many_steps_a_sleep_in_between_is_a_moment():
    async def sleeper():
        for k in range(15_000):
            await asyncio.sleep(0.05 if k in (5_000, 10_000) else 0)

    async def main():
        with trace("Long") as long:
            await asyncio.create_task(sleeper(), name="sleeper")
        return long

    moments, states = followed(asyncio.run(main()))
    sleeps = [k for k, each in enumerate(states[:-1]) if each.get("sleeper", each["this cell"]).kind == "waiting"]
    assert sum(moments.moments[k + 1].when - moments.moments[k].when > 0.045 for k in sleeps) == 2
    assert not any("keeps the loop" in moment.sentence for moment in moments.moments)


def test_beyond_its_limit_a_trace_tells_of_nothing():
    async def main():
        with trace("Limit", limit=12) as limited:
            async with asyncio.TaskGroup() as group:
                group.create_task(turns(1, 3), name="short")
            await asyncio.create_task(worker(), name="long")
            await asyncio.create_task(worker(), name="unseen")
        return limited

    limited = asyncio.run(main())
    page, _, data = shown(limited)
    told = " ".join(moment["say"][1] for moment in data["moments"])
    assert "long ends" not in told and "unseen" not in told and "the trace ends" not in told
    assert ">Only the first 12 steps were kept" in page, "below the picture"


def test_who_waits_for_one_of_two_of_a_name_is_not_said_to_wait_for_the_other():
    async def joins(task):
        await task

    async def main():
        with trace("Twins") as twins:
            tasks = [asyncio.create_task(worker(), name="twin") for _ in range(2)]
            await joins(tasks[0])
            await tasks[1]
        return twins

    twins = asyncio.run(main())
    for told in (twins.table(), " ".join(moment.sentence for moment in followed(twins)[0].moments)):
        assert "task twin" in told and "task twin 1" not in told and "task twin 2" not in told


def test_in_a_trace_around_another_the_line_that_creates_a_task_is_the_users():
    async def main():
        with trace("Outer") as around, trace("Inner"):
            await asyncio.create_task(worker(), name="worker")
        return around

    moments, _ = followed(asyncio.run(main()))
    assert [block.name for block in moments.code.values()] == ["main", "worker"]
    assert re.search(r"creates worker at line \d+ \(await asyncio.create_task\(worker", moments.moments[1].sentence)


def test_a_cancellation_comes_before_what_it_wakes():
    async def main():
        with trace("Cancelled") as cancelled:
            task = asyncio.create_task(worker(), name="worker")
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        return cancelled

    told = [moment.sentence for moment in followed(asyncio.run(main()))[0].moments]
    assert "this cell cancels worker; worker is woken, to be cancelled: it is ready again." in told


def test_code_that_is_not_what_it_was_is_not_shown(tmp_path):
    file, names = tmp_path / "changing.py", {"asyncio": asyncio}
    source = "async def late():\n    '\u2028'\n    await asyncio.sleep(0)\n    await asyncio.sleep(0)\n"
    exec(compile(source, str(file), "exec"), names)

    async def main():
        with trace("Changed") as changed:
            await asyncio.create_task(names["late"](), name="late")
        return changed

    changed = asyncio.run(main())
    for now, kept in [(source, 4), ("# moved\n" + source, 0), ("async def other():\n    pass\n", 0), ("x = (", 0)]:
        file.write_text(now, "utf-8")
        linecache.checkcache()
        late = next(block for block in followed(changed)[0].code.values() if block.name == "late")
        assert len(late.lines) == kept and (not kept or late.lines[4] == "    await asyncio.sleep(0)")


def test_its_marks_lie_on_lines_that_are_shown():
    page, elements, data = shown(asyncio.run(everything_that_can_happen()))
    lines = {attributes["data-line"] for _, attributes in elements if "data-line" in attributes}
    marked = {f"{block}:{line}" for _, _, marks in data["states"] for block, line, _ in marks}
    assert marked and marked <= lines
    assert " id=" not in page, "two replays in a page must not meet"
    assert "display:none" in page, "where scripts do not run, all of the picture is seen"
    steps = html.unescape(page).partition("Step by step")[2]
    assert all(moment["say"][1] in steps for moment in data["moments"])


def test_source_that_is_gone_is_said_and_the_rest_is_shown():
    names = {"asyncio": asyncio}
    exec(compile("async def gone():\n    await asyncio.sleep(0.001)", "<nowhere>", "exec"), names)

    async def main():
        with trace("Gone") as gone:
            await asyncio.gather(
                asyncio.create_task(names["gone"](), name="a"), asyncio.create_task(worker(), name="b")
            )
        return gone

    page, _, data = shown(asyncio.run(main()))
    assert "gone: its source is not available" in page and "async def worker" in page
    assert any("a suspends at line 2 and waits for sleep" in moment["say"][1] for moment in data["moments"])


@pytest.mark.parametrize(
    "name", ["</div>", "\"><script>alert('1')</script>", "<!-- end of the moments -->", "a&quot;b", "名前"]
)
def test_any_name_is_text(name):
    async def main():
        with trace(name) as named:
            await asyncio.create_task(worker(), name=name)
        return named

    page, elements, data = shown(asyncio.run(main()))
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
