"""The one way a figure is shown: as HTML, an image with alternative text, and the same facts as a table below it.

The plain-text form is that table.
"""

from __future__ import annotations

import base64
import io
import warnings
from html import escape

from matplotlib.figure import Figure
from PIL import Image

from . import style

# JupyterLab previews the first line of a hidden output: this one gives no measurement away.
_PREVIEW = "<!-- run this cell to see the measurement -->"


def png(fig: Figure) -> bytes:
    """Draw `fig` at twice its shown size and return a PNG of at most 256 colours, a third of the usual size."""
    buffer, small = io.BytesIO(), io.BytesIO()
    with style.applied(), warnings.catch_warnings():
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
