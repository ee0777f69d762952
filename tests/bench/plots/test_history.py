"""Counts over time: what is found in them, what is shown of it, and what strict nbval compares."""

import asyncio
import itertools
import math
import re
import time
from html import unescape

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from nbval.plugin import get_sanitize_patterns

import notebook_file
from asynclab.counting import in_window, most_in_window
from asynclab.page import style
from asynclab.plots.history import History, at_most, history

RULES = get_sanitize_patterns((notebook_file.ROOT / "tests/notebooks/nbval_sanitize.cfg").read_text(encoding="utf-8"))

BURST = [(0, 10), (0.5, 60), (1.0, 0)]  # at a limit of 10
EVEN = [(0, 5), (0.25, 10), (0.5, 10), (2, 0)]


def limiters(first="burst", burst=BURST, **options) -> History:
    options = {"unit": "admissions in the last 0.5 s", "limit": 10} | options
    return history("Two limiters", {first: burst, "even": EVEN}, **options)


def compared(text):
    """Return what the strict comparison of notebooks sees of `text`."""
    for rule, replacement in dict(RULES).items():
        text = re.sub(rule, replacement, text)
    return text


# ---- what is found


def test_findings():
    result = limiters()
    assert result.names == ["burst", "even"]
    assert [result.highest(name) for name in result.names] == [60, 10]
    assert [result.reached(name) for name in result.names] == [0.5, 0.25]
    assert [result.ended(name) for name in result.names] == [1, 2]
    assert [result.exceeds(name) for name in result.names] == [True, False]  # to reach the limit is no offence
    assert [result.above(name) for name in result.names] == [0.5, 0]
    assert result["even"] == tuple(EVEN)
    with pytest.raises(KeyError, match="no series 'odd': there are burst, even"):
        result.highest("odd")


def test_without_a_limit_nothing_exceeds_it():
    result = limiters(limit=None)
    assert not result.exceeds("burst") and result.above("burst") == 0


def test_what_lasted_no_time_counts_as_well():
    result = history("Spikes", {"a": [(0, 1), (1, 9), (1, 2), (2, 3)], "b": [(0, 0), (4, 7)]}, unit="items", limit=5)
    assert (result.highest("a"), result.above("a"), result.exceeds("a")) == (9, 0, True)
    assert (result.highest("b"), result.above("b"), result.exceeds("b")) == (7, 0, True)


def test_the_length_of_a_queue():
    async def length(maxsize):
        queue, points, began = asyncio.Queue(maxsize), [], time.perf_counter()

        def note():
            points.append((time.perf_counter() - began, queue.qsize()))

        async def consume():
            for _ in range(20):
                await queue.get()
                note()
                await asyncio.sleep(0.001)

        consumer = asyncio.create_task(consume())
        for item in range(20):
            await queue.put(item)
            note()
        await consumer
        return points

    series = {"unbounded": asyncio.run(length(0)), "maxsize=5": asyncio.run(length(5))}
    result = history("Queues", series, unit="items in the queue", limit=5, limit_name="maxsize")
    assert [result.highest(name) for name in result.names] == [20, 5]
    assert [result.exceeds(name) for name in result.names] == [True, False]


def test_steps_of_a_window_are_a_series():
    went = [100 + n / 64 for n in range(40)]
    result = history("Window", {"even": in_window(went, 0.25)}, unit="in the last 0.25 s")
    assert result.highest("even") == most_in_window(went, 0.25) == 16
    assert result.ended("even") == 39 / 64 + 0.25


# ---- what is shown


def test_it_shows_itself():
    shown = limiters()._repr_mimebundle_()
    assert shown["text/plain"] == str(limiters()) == limiters().text()
    assert re.search(r"burst +60 at most +500 ms +1\.00 s +500 ms +above the limit\n", shown["text/plain"])
    assert re.search(r"even +10 at most +250 ms +2\.00 s +0 s +never above the limit\n", shown["text/plain"])
    assert "Counted: admissions in the last 0.5 s." in shown["text/plain"]
    alt = unescape(re.search('<img alt="(.*?)"', shown["text/html"])[1])
    assert "burst: 60 at most, first at 500 ms, above the limit (for 500 ms); ended at 1.00 s." in alt
    assert "even: 10 at most, first at 250 ms, never above the limit; ended at 2.00 s." in alt
    assert alt.endswith("A dashed line marks the limit 10.")
    assert repr(limiters()) == "<History 'Two limiters': burst, even>"


def test_without_a_limit_none_is_mentioned():
    result = limiters(limit=None)
    assert "limit " not in result.text() + result.alt()
    assert re.search(r"burst +60 at most +500 ms +1\.00 s\n", result.text())


def test_a_limit_is_called_by_its_name():
    result = limiters(limit=2.5, limit_name="maxsize")
    assert "above the maxsize" in result.text() and "above the maxsize" in result.alt()
    assert "maxsize 2.50" in texts(result.plot())


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 at most"), (60.0, "60 at most"), (1234567, "1,234,567 at most"), (2.345, "2.35 at most")]
)
def test_the_highest_value_as_it_is_printed(value, text):
    assert at_most(value) == text


def test_two_runs_are_alike_unless_the_lesson_differs():
    def shown(*args, **options):
        bundle = limiters(*args, **options)._repr_mimebundle_()
        return compared(bundle["text/plain"]), compared(bundle["text/html"])

    stored = shown()
    assert shown(burst=[(0, 9), (0.13, 1053), (12.6, 3)]) == stored
    assert shown(burst=[(0, 9), (1.0, 0)]) != stored  # not above the limit any more
    assert shown(first="other") != stored
    assert shown(limit=11) != stored
    assert shown(unit="admissions in the last second") != stored


# ---- the picture


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def hatched(figure):
    return [area for area in figure.axes[0].collections if area.get_hatch()]


def test_what_exceeds_the_limit_is_hatched():
    assert len(hatched(limiters().plot())) == 1
    assert "admissions in the last 0.5 s (hatched: above the limit)" in texts(limiters().plot())
    for tame in (limiters(limit=60), limiters(limit=None)):
        assert not hatched(tame.plot())
        assert "admissions in the last 0.5 s" in texts(tame.plot())


def test_series_differ_in_their_marks():
    figure = history("Six", {f"series {n}": EVEN for n in range(6)}, unit="items").plot()
    marked = [line for line in figure.axes[0].lines if line.get_marker() in style.MARKERS]
    assert [line.get_marker() for line in marked if line.get_transform() == figure.axes[0].transData] == [
        *style.MARKERS
    ]
    places = [tuple(line.get_xdata()) for line in marked]
    assert len(set(itertools.chain(*places))) == sum(map(len, places)) - 5  # none hides another
    assert {line.get_color() for line in marked} == set(style.CYCLE)


def test_a_series_of_one_point_is_seen():
    axes = history("Short", {"long": EVEN, "short": [(1, 4)]}, unit="items").plot().axes[0]
    marked = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == style.MARKERS[1]]
    assert marked[0] == [[1, 4]]


CROWDS = {
    "one level": ({f"series {n}": EVEN for n in range(6)}, 10),
    "at the bottom": ({f"series {n}": [(0, n % 2), (1, 0)] for n in range(6)}, 1000),
    "long names": ({f"{n} " + "a very long name " * 5: EVEN for n in range(3)}, 10),
    "limit 0": ({"million": [(0, 0), (1e-4, 1_000_000), (2e-4, 3)], "tiny": [(1e-4, 2), (3e-4, 1)]}, 0),
    "one point": ({"$x$": [(0, 0)]}, None),
    "mathematics": ({r"$\nonsense{$": EVEN, "<b>": EVEN}, 2),
    "close": ({"nine": [(0, 9), (1, 0)], "ten": [(0, 10), (1, 0)], "eleven": [(0, 11), (1, 0)]}, 10),
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_every_text_is_on_the_page_and_none_on_another(crowd):
    series, limit = CROWDS[crowd]
    result = history(
        "$5 for $6, and a very long title that takes nearly all of the width that there is on this page for a title",
        series,
        unit="$things$",
        limit=limit,
    )
    assert "<b>" not in result._repr_mimebundle_()["text/html"]
    figure = result.plot()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    axes, page = figure.axes[0], figure.bbox
    boxes = {text.get_text(): text.get_window_extent(renderer) for text in [*axes.texts, *figure.texts]}
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        seen = [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes |= {f"tick {axis.axis_name} {tick.get_text()}": tick.get_window_extent(renderer) for tick in seen}
    assert sum(name.startswith("tick y") for name in boxes) > 1
    for box in boxes.values():
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
    for (one, here), (other, there) in itertools.combinations(boxes.items(), 2):
        assert not here.overlaps(there), (one, other)


def test_the_readers_own_settings_are_left_alone():
    with style.applied():
        inside = limiters().plot()
    assert texts(limiters().plot()) == texts(inside)


# ---- what makes no sense is refused


@pytest.mark.parametrize(
    ("series", "says"),
    [
        ({}, "nothing to show"),
        ([(0, 1)], "nothing to show"),
        ({"a": EVEN, "b": []}, 'series "b" is empty'),
        ({"a": [(0, 1), (2, 1), (1, 1)]}, 'series "a": time goes back, from 2 to 1 s'),
        ({"a": [(0, math.nan)]}, 'series "a": a point is'),
        ({"a": [(math.nan, 1)]}, 'series "a": a point is'),
        ({"a": [(0, math.inf)]}, 'series "a": a point is'),
        ({"a": [(-1, 1)]}, 'series "a": a point is'),
        ({"a": [(0, -1)]}, 'series "a": a point is'),
        ({"a": [1, 2]}, 'series "a": a point is'),
        ({"a": [(1, 2, 3)]}, 'series "a": a point is'),
        ({"a": [("1", 2)]}, 'series "a": a point is'),
        ({f"{n}": EVEN for n in range(7)}, "7 series cannot be told apart in one picture: show at most 6"),
    ],
)
def test_bad_series(series, says):
    with pytest.raises(ValueError, match=says):
        history("Bad", series, unit="items")


@pytest.mark.parametrize("limit", [math.nan, math.inf, -1, "5"])
def test_bad_limits(limit):
    with pytest.raises(ValueError, match="limit must be a number from 0, or None"):
        limiters(limit=limit)


def test_the_callers_lists_may_change_later():
    points = list(BURST)
    result = history("Kept", {"a": points}, unit="items")
    points.clear()
    assert result["a"] == tuple(BURST)
