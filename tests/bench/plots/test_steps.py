"""The picture of a service's repairs: its words, what strict nbval compares of them, and what cannot be drawn."""

import re

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from nbval.plugin import get_sanitize_patterns

import notebook_file
from asynclab.load import NO_CONNECTION, WRONG, Load
from asynclab.page import style
from asynclab.plots.steps import MOST, steps

RULES = get_sanitize_patterns((notebook_file.ROOT / "tests/notebooks/nbval_sanitize.cfg").read_text(encoding="utf-8"))


def load(seconds=0.2, slowest=1.0, errors=None, opened=900, memory=20 << 20, left=4, right=100):
    errors = {} if errors is None else errors
    times = (0.01,) * right + (slowest,) * sum(errors.values())
    return Load(object, len(times), 20, right, seconds, times, errors, opened, memory, 0, left)


def repaired(**states):
    before = load(errors={WRONG: 8, "no answer within 1 s": 4})
    return steps("A shop", {"as it was": before, **states})


def honest(**more):
    return load(**{"seconds": 0.1, "slowest": 0.5, "errors": {"no answer within 1 s": 4, "said 502": 8}} | more)


def test_words_say_every_value_of_every_state():
    result = repaired(honest=honest(left=12), released=load(errors={"said 502": 12}, left=0))
    assert result.kinds == [WRONG, "no answer within 1 s", "said 502"]
    rows = {row[0]: row[1:] for row in result.rows()}
    assert rows[WRONG] == ["8", "0", "0"] and rows["said 502"] == ["0", "8", "12"]
    assert rows["connections left open"] == ["4", "12", "0"]
    assert rows["one right answer every"] == ["2.00 ms", "1.00 ms", "2.00 ms"]
    shown = result._repr_mimebundle_()
    alt = re.search('alt="([^"]*)"', shown["text/html"])[1]
    for name, values in rows.items():
        assert any(re.split(r"  +", line) == [name, *values] for line in shown["text/plain"].splitlines()), name
        assert all(f"{name} {value}" in alt for value in values)
    assert all(name in alt for name in ("as it was", "honest", "released"))


def test_strict_comparison_sees_counts_and_no_measurement():
    def compared(result):
        text = "\n".join(result._repr_mimebundle_().values())
        for rule, replacement in dict(RULES).items():
            text = re.sub(rule, replacement, text)
        return text

    first = compared(repaired(honest=honest()))
    assert compared(repaired(honest=honest(seconds=7.7, slowest=0.512, opened=77, memory=512))) == first
    assert compared(repaired(honest=honest(left=5))) != first
    assert compared(repaired(honest=honest(errors={"said 502": 12}))) != first


@pytest.mark.parametrize(
    "states",
    [
        {},
        {"nothing right": load(right=0, seconds=0.0, errors={NO_CONNECTION: 3})},
        {"no errors": load(memory=0, left=0)},
        {
            "a very long name, with $dollars$": load(errors={WRONG: 1} | {f"said {k}": k for k in range(500, 505)}),
            "large": load(memory=3 << 40, left=123_456),
        },
        {f"state {k}": load() for k in range(1, MOST)},
    ],
)
def test_all_writing_is_on_the_page_and_none_on_another(states):
    figure = repaired(**states).plot()
    canvas = FigureCanvasAgg(figure)
    with style.applied():
        canvas.draw()
    page = figure.bbox
    for ax in figure.axes:
        boxes = [each.get_window_extent(canvas.get_renderer()) for each in ax.texts if each.get_text()]
        for box in boxes:
            assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, states
        values = [box for each, box in zip(ax.texts, boxes, strict=True) if each.get_size() == 9]
        assert not any(a.overlaps(b) for a in values for b in values if a is not b), states


@pytest.mark.parametrize(
    ("states", "error"),
    [
        ({}, ValueError),
        ({str(k): load() for k in range(MOST + 1)}, ValueError),
        ([load()], TypeError),
        ({"as it was": 325}, TypeError),
    ],
)
def test_nonsense_is_refused_with_a_sentence(states, error):
    with pytest.raises(error, match="states"):
        steps("A shop", states)
