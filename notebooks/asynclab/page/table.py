"""Plain-text tables, and words cut to fit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


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


def shorten(text: str, most: int = 32) -> str:
    """Return `text`, cut to `most` characters if it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"
