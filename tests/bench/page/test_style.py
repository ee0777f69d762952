"""How numbers and tables are printed, and how a figure is shown."""

import base64
import io
import math
import re

import matplotlib as mpl
import pytest
from PIL import Image

from asynclab.page import style
from asynclab.page.html import bundle, image, png
from asynclab.page.numbers import duration, percent, ratio, size
from asynclab.page.table import table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (8.5e-7, "850 ns"),
        (1.234e-5, "12.3 µs"),
        (9.996e-4, "1.00 ms"),
        (0.3012, "301 ms"),
        (0.9996, "1.00 s"),
        (1.5, "1.50 s"),
        (12345, "12,345 s"),
        (-0.002, "-2.00 ms"),
        (math.nan, "nan s"),
        (math.inf, "inf s"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_ratios_shares_and_sizes():
    assert [ratio(value) for value in (0.98, 1, 4.987, 12345)] == ["0.980x", "1.00x", "4.99x", "12,345x"]
    assert percent(0.345) == "34 %"
    assert [size(count) for count in (12, 16384, 1e9, 5e12)] == ["12 B", "16.0 KiB", "954 MiB", "4,657 GiB"]


def test_a_number_that_gains_a_digit_moves_nothing():
    def text(number):
        return table(("task", "took", "why"), [("a", number, "sleep")], words=("why",))

    assert text("9.99 ms").replace("9.99 ms", "#" * 7) == text("10.1 ms").replace("10.1 ms", "#" * 7)
    assert text("1 s").splitlines()[0] == "task      took  why"


def test_a_table_with_a_cell_too_few_is_refused():
    with pytest.raises(ValueError, match="needs 2 cells"):
        table(("a", "b"), [("1",)])


def test_a_figure_is_shown_with_its_words():
    fig = style.figure(height=1)
    axes = style.inches(fig, 0.5, 0.3, 0.1, 0.1)
    axes.plot([0, 1], [0, 1], color=style.BLUE)
    shown = bundle(image(fig, 'a "line" that\nrises'), "x < y")
    html = shown["text/html"]
    assert html.startswith("<!-- run this cell to see the measurement -->\n")
    assert 'alt="a &quot;line&quot; that rises" width="960"' in html
    assert "<pre>x &lt; y</pre>" in html
    assert shown["text/plain"] == "x < y"
    data = re.search(r'src="data:image/png;base64,([^"]+)"', html)[1]
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert picture.size == (1920, 200)
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_a_figure_without_words_is_refused():
    with pytest.raises(ValueError, match="alternative text"):
        image(style.figure(), "a plot")


def test_the_readers_own_settings_are_left_alone():
    assert mpl.get_backend()  # settled from here on
    before = dict(mpl.rcParams)
    with style.applied():
        png(style.figure(height=1))
    assert dict(mpl.rcParams) == before
