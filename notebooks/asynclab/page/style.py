"""The one style of every figure: its colours, letters and sizes."""

from __future__ import annotations

import functools

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import LoadFlags

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


def applied() -> mpl.rc_context:
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
    with applied():
        font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    font.set_size(100, 72)
    glyph = font.load_glyph(font.get_char_index(ord(letter)), flags=LoadFlags.NO_HINTING)
    return glyph.linearHoriAdvance / 65536 / 100
