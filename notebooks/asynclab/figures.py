"""The one style of every figure, the one way a figure is shown, the one way a number is printed.

A figure is shown as HTML: an image with alternative text, and the same facts as a table to open below it.
The plain-text form is that table. Both hold every number in the form of `duration`, `ratio`, `percent`, `size`
or `history.at_most`, so that a rule (tests/nbval_sanitize.cfg) tells a measured number from the structure around it.
"""

from __future__ import annotations

import base64
import functools
import io
import math
import warnings
from collections.abc import Collection, Iterable, Sequence
from html import escape

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import LoadFlags
from PIL import Image

# Okabe and Ito's colours, told apart in every common kind of colour vision (https://jfly.uni-koeln.de/color/).
BLUE, VERMILLION, ORANGE, GREEN = "#0072B2", "#D55E00", "#E69F00", "#009E73"
PURPLE, SKY, YELLOW, BLACK = "#CC79A7", "#56B4E9", "#F0E442", "#000000"
CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)  # in the order series take them
MARKERS = ("o", "s", "^", "D", "v", "P")  # a series differs in its mark as well as in its colour

INK, FAINT, RULE, GRID = "#22272E", "#57606A", "#9AA4B0", "#E6EAEF"  # text, small text, axes, grid
WIDTH = 9.6  # inches; shown 960 pixels wide

_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "hatch.linewidth": 1.0,
}
# JupyterLab previews the first line of a hidden output: this one gives no measurement away.
_PREVIEW = "<!-- run this cell to see the measurement -->"


def style() -> mpl.rc_context:
    """Return a context manager under which a figure is made and drawn; it leaves the reader's settings alone."""
    return mpl.rc_context(_STYLE)


def figure(width: float = WIDTH, height: float = 4.0) -> Figure:
    """Return an empty figure of `width` by `height` inches.

    It belongs to nobody but the caller: pyplot does not know it, so no figure is left open or shown twice.
    """
    return Figure(figsize=(width, height), facecolor="white")


def inches(fig: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Add axes that keep these margins, in inches, from the edges of `fig`."""
    width, height = fig.get_size_inches()
    return fig.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height))


def title(fig: Figure, text: str) -> None:
    """Write `text` at the top left of `fig`; a dollar sign is a sign, not mathematics."""
    width, height = fig.get_size_inches()
    fig.text(0.08 / width, 1 - 0.2 / height, text, size=11, weight="bold", va="center", parse_math=False)


def text_width(text: str, size: float) -> float:
    """Return the width in inches of `text` in letters of `size` points."""
    return sum(map(_letter_width, text)) * size / 72


@functools.cache
def _letter_width(letter: str) -> float:
    """Return the width of `letter`, in letters of one point; to measure whole texts takes milliseconds."""
    with style():
        font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    font.set_size(100, 72)
    glyph = font.load_glyph(font.get_char_index(ord(letter)), flags=LoadFlags.NO_HINTING)
    return glyph.linearHoriAdvance / 65536 / 100


def shorten(text: str, most: int = 32) -> str:
    """Return `text`, cut to `most` characters if it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"


def png(fig: Figure) -> bytes:
    """Draw `fig` at twice its shown size and return a PNG of at most 256 colours, a third of the usual size."""
    buffer, small = io.BytesIO(), io.BytesIO()
    with style(), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box; the words below the picture have it.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        fig.savefig(buffer, format="png", dpi=200)
    image = (
        Image.open(buffer).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    )
    image.save(small, format="png", optimize=True)
    return small.getvalue()


def image(fig: Figure, alt: str) -> str:
    """Return an HTML `img` element of `fig` with the alternative text `alt`, sharp on a projector.

    Raises ValueError if `alt` says nothing (fewer than 15 characters).
    """
    if len(alt.strip()) < 15:
        raise ValueError("a figure needs an alternative text that says what it shows")
    data = base64.b64encode(png(fig)).decode()
    width = round(fig.get_size_inches()[0] * 100)
    return (
        f'<img alt="{escape(" ".join(alt.split()))}" width="{width}" style="max-width:100%;height:auto" '
        f'src="data:image/png;base64,{data}">'
    )


def bundle(picture: str, text: str) -> dict[str, str]:
    """Return what a cell displays: `picture` (HTML), with `text`, the same facts in words, to open below it."""
    html = f"{_PREVIEW}\n{picture}\n<details><summary>The same in words</summary><pre>{escape(text)}</pre></details>"
    return {"text/html": html, "text/plain": text}


def table(header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", words: Collection[str] = ()) -> str:
    """Return a plain-text table: numbers at the right of their column, the first column and `words` at the left.

    `words` names the columns that hold words. A column of numbers has the same width whatever it holds, so that
    a number which gains a digit in the next run moves nothing. Raises ValueError if a row has not as many cells
    as `header`.
    """
    lines = [list(header), *map(list, rows)]
    if any(len(line) != len(header) for line in lines):
        raise ValueError(f"each row needs {len(header)} cells, one for each of {', '.join(header)}")

    def column(cells: Sequence[str], first: bool) -> list[str]:
        if first or cells[0] in words:
            width = max(map(len, cells))
            return [f"{cell:<{width}}" for cell in cells]
        width = max(8, len(cells[0]))
        return [f"{cell:>{width}}" for cell in cells]

    columns = [column(cells, i == 0) for i, cells in enumerate(zip(*lines, strict=True))]
    return "\n".join([title, ""] * bool(title) + ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)])


def duration(seconds: float) -> str:
    """Return `seconds` with three significant digits and a unit from ns to s, such as "301 ms" or "1.50 s"."""
    if seconds == 0 or not math.isfinite(seconds):
        return f"{seconds:.0f} s"
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if abs(seconds) * scale >= 0.9995:
            return f"{_three_digits(seconds * scale)} {unit}"
    return f"{_three_digits(seconds * 1e9)} ns"


def ratio(value: float) -> str:
    """Return `value` as a multiple, such as "4.99x"."""
    return f"{_three_digits(value)}x"


def percent(share: float) -> str:
    """Return `share` (0 to 1) in whole per cent, such as "34 %"."""
    return f"{share * 100:.0f} %"


def size(count: float) -> str:
    """Return `count` bytes with a binary unit from B to GiB, such as "16.0 KiB"."""
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{_three_digits(count)} {unit}"
        count /= 1024
    return f"{_three_digits(count)} GiB"


def _three_digits(value: float) -> str:
    if not math.isfinite(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    rounded = float(f"{value:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    return f"{rounded:.{decimals}f}"
