"""The timeline: what its words say, and that its picture and its words hold the same."""

import asyncio
import contextlib
import copy
import html
import pickle
import re
import time

import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from asynclab import trace
from asynclab.tracing.drawing import draw_tasks, lanes, shown_names, tree


async def nap(seconds=0.01):
    await asyncio.sleep(seconds)


async def three_naps():
    with trace("Three naps") as naps:
        async with asyncio.TaskGroup() as group:
            for seconds in (0.03, 0.02, 0.01):
                group.create_task(nap(seconds), name=f"nap {seconds}")
    return naps


async def everything_that_can_happen():
    async def fail():
        await asyncio.sleep(0.01)
        raise ValueError

    async def rude():
        time.sleep(0.12)

    async def stubborn():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    with trace("Everything", slow=0.1) as all_of_it:
        with contextlib.suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(fail(), name="fails")
                group.create_task(nap(60), name="slow")
                group.create_task(stubborn(), name="stubborn")
        async with asyncio.TaskGroup() as group:
            group.create_task(rude(), name="rude")
            group.create_task(nap(0.01), name="starved")
            group.create_task(asyncio.to_thread(time.sleep, 0.02), name="in a thread")
        pending = asyncio.create_task(nap(60), name="pending")
        await asyncio.sleep(0.01)
    pending.cancel()
    await asyncio.wait([pending])
    return all_of_it


def without_numbers(text):
    return re.sub(r" *\d[\d.,]* (ns|µs|ms|s|%)", " #", text)


def colors(fig):
    """The colours of the boxes that a figure really holds."""
    boxes = [c.get_facecolor()[0] for c in fig.axes[0].collections if isinstance(c, PolyCollection)]
    return {to_hex(face).upper() for face in boxes + [patch.get_facecolor() for patch in fig.axes[0].patches]}


def test_the_table_names_every_task_in_order():
    naps = asyncio.run(three_naps())
    assert without_numbers(str(naps)).splitlines() == [
        "Three naps: 3 tasks in #, event loop busy #",
        "",
        "task        outcome      from        to   running   longest     ready   waiting  waited for",
        "this cell # # # # # #  TaskGroup exit",
        "  nap 0.03  done # # # # # #  sleep",
        "  nap 0.02  done # # # # # #  sleep",
        "  nap 0.01  done # # # # # #  sleep",
    ]


def test_the_words_are_the_same_from_run_to_run():
    first, second = asyncio.run(everything_that_can_happen()), asyncio.run(everything_that_can_happen())
    assert without_numbers(str(first)) == without_numbers(str(second))
    assert without_numbers(first.alt()) == without_numbers(second.alt())


def test_outcomes_are_told_in_words():
    table = str(asyncio.run(everything_that_can_happen()))
    for line in (
        r"fails +raised ValueError ",
        r"slow +cancelled ",
        r"stubborn +done, cancel\(\) called ",
        r"pending +still pending ",
        r"sleep in a thread +done ",
        r"this cell +cancel\(\) called ",
    ):
        assert re.search(rf"^ *{line}", table, re.M), table


def test_only_what_occurs_is_drawn_and_in_the_legend():
    def words(timeline):
        return [text.get_text() for text in draw_tasks(timeline).legends[0].get_texts()]

    calm, wild = asyncio.run(three_naps()), asyncio.run(everything_that_can_happen())
    occurs = set(words(calm)) - {"ready, but the loop is busy"}  # on a busy machine there may be a trace of that
    assert occurs == {"running on the loop", "waiting (suspended)", "done"}
    assert words(wild) == [
        "running on the loop",
        "running ≥ 100 ms: blocks the loop",
        "ready, but the loop is busy",
        "waiting (suspended)",
        "in a thread or process",
        "done",
        "raised",
        "cancelled",
        "cancel() called",
        "still pending",
    ]
    assert {"#D55E00", "#009E73"}.isdisjoint(colors(draw_tasks(calm)))
    assert {"#0072B2", "#D55E00", "#FCEBC8", "#D5DCE4", "#009E73"} <= colors(draw_tasks(wild))


def test_it_shows_itself_with_the_table_as_its_text():
    naps = asyncio.run(three_naps())
    shown = naps._repr_mimebundle_()
    assert shown["text/plain"] == str(naps)
    alt = html.unescape(re.search(r'<img alt="([^"]+)"', shown["text/html"])[1])
    assert alt == naps.alt()
    assert "nap 0.03: done" in alt and "3 tasks" in alt
    assert len(shown["text/html"]) < 60_000


def test_nothing_recorded_yet_is_said():
    assert "nothing recorded yet" in trace("Empty")._repr_mimebundle_()["text/plain"]
    assert "nothing recorded yet" in str(trace())


def test_an_open_trace_shows_what_it_has_so_far():
    async def main():
        with trace("Open") as so_far:
            task = asyncio.create_task(nap(0.05), name="nap")
            await asyncio.sleep(0.001)
            table = so_far._repr_mimebundle_()["text/plain"]
            await task
        return table

    assert re.search(r"nap +still pending", asyncio.run(main()))


def test_a_trace_of_nothing_but_its_own_cell():
    async def main():
        with trace("Alone") as alone:
            pass
        return alone

    assert "0 tasks" in asyncio.run(main())._repr_mimebundle_()["text/plain"]


def test_tasks_nobody_named_are_numbered_alike_in_every_run():
    async def main():
        with trace() as naps:
            await asyncio.gather(nap(), nap(), asyncio.create_task(nap(), name="mine"))
        return naps

    naps = asyncio.run(main())
    assert list(shown_names(naps.tasks).values()) == ["this cell", "mine", "nap 1", "nap 2"]


def test_children_stand_below_their_parents():
    async def parent():
        await asyncio.create_task(nap(), name="child")

    async def main():
        with trace() as family:
            await asyncio.gather(asyncio.create_task(parent(), name="a"), asyncio.create_task(parent(), name="b"))
        return family

    family = asyncio.run(main())
    assert [(row.name, depth) for row, depth in tree(family.tasks)[1:]] == [
        ("a", 1),
        ("child", 2),
        ("b", 1),
        ("child", 2),
    ]


def test_threads_are_numbered_from_one_whatever_ran_before():
    async def main():
        await asyncio.gather(*[asyncio.to_thread(time.sleep, 0.01) for _ in range(3)])
        with trace() as threads:
            await asyncio.to_thread(time.sleep, 0.01)
        return threads

    assert list(lanes(asyncio.run(main())).values()) == ["thread 1"]


def test_many_tasks_are_told_by_kind():
    async def fail():
        raise OSError

    async def main():
        with trace("Crowd") as crowd:
            await asyncio.gather(*[nap(0.001 * (i % 7)) for i in range(200)], fail(), return_exceptions=True)
        return crowd

    crowd = asyncio.run(main())
    shown = crowd._repr_mimebundle_()
    assert re.search(r"^nap +done +200 ", shown["text/plain"], re.M)
    assert re.search(r"^fail +raised OSError +1 ", shown["text/plain"], re.M)
    assert "200 done, 1 raised OSError" in html.unescape(shown["text/html"])


def test_a_truncated_trace_says_so():
    async def main():
        with trace("Long", limit=10) as long:
            for _ in range(50):
                await asyncio.sleep(0)
        return long

    assert "Only the first 10 steps were kept" in str(asyncio.run(main()))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda trace: pickle.loads(pickle.dumps(trace))])
def test_a_finished_trace_can_be_copied_and_stored(copied):
    naps = asyncio.run(three_naps())
    assert copied(naps).table() == naps.table()


def test_a_title_that_is_no_string_is_refused():
    with pytest.raises(TypeError, match="title is a string"):
        trace(3)


@pytest.mark.parametrize("name", ["costs $5 or $6", r"$\\nonsense{$", "<b>&amp;", "x" * 200, "", "名前"])
def test_any_name_can_be_drawn(name):
    async def main():
        with trace(name) as named:
            await asyncio.create_task(nap(0.001), name=name)
        return named

    assert "1 tasks" in asyncio.run(main())._repr_mimebundle_()["text/plain"]
