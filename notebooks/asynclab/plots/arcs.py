"""`arcs()`: documents in time and the links between them, as a picture and in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection
from matplotlib.figure import Figure

from ..page import style
from ..page.html import bundle, image
from ..page.table import shorten, table

MOST_DOCUMENTS, MOST_LINKS, MOST_NAMED = 1000, 2000, 20  # more would not be told apart in one picture
_MOST_ROWS = 30  # of the table of years

Link = tuple[Hashable, Hashable]  # the names of two documents: the one that links, and the one that it links to


class Document(NamedTuple):
    """A document: its day, its size, and what it is called."""

    day: date
    size: float
    label: str


@dataclass(frozen=True, eq=False, repr=False)
class Arcs:
    """Documents in time and the links between them. As the last expression of a cell it shows a figure and a table.

    `documents` holds them by name, the earliest first, and `links` those that are drawn; `elsewhere` counts the links
    that are not, because one of their ends is no document of these.
    """

    title: str
    documents: dict[Hashable, Document]
    links: tuple[Link, ...]
    elsewhere: int
    things: str
    unit: str
    most_named: int
    note: str

    @property
    def named(self) -> list[Hashable]:
        """The names of the largest documents, the earliest first: those that the figure names."""
        largest = self.largest[: self.most_named]
        return [name for name in self.documents if name in largest]

    @property
    def largest(self) -> list[Hashable]:
        """The names of all documents, the largest first."""
        return sorted(self.documents, key=lambda name: -self.documents[name].size)

    @property
    def linked(self) -> Counter[Hashable]:
        """How many of the documents link to each, by name."""
        return Counter(target for _, target in self.links)

    @property
    def coloured(self) -> list[Hashable]:
        """Of the named, those that most others link to, the most linked first; each has a colour, as have its links."""
        linked, largest = self.linked, self.largest
        chosen = sorted(self.named, key=lambda name: (-linked[name], largest.index(name)))
        return [name for name in chosen if linked[name]][: len(style.CYCLE)]

    def text(self) -> str:
        """Return two tables, of the years and of the named documents, and the note."""
        first, last = _years(self.documents)
        step = next(n for n in (1, 2, 5, 10, 20, 50, 100, 500) if last // n - first // n < _MOST_ROWS)
        rows: dict[int, list[float]] = {}
        sources, linked = Counter(source for source, _ in self.links), self.linked
        for name, (day, size, _) in self.documents.items():
            row = rows.setdefault(day.year // step * step, [0, 0, 0])
            row[:] = row[0] + 1, row[1] + size, row[2] + sources[name]
        head = ["year" if step == 1 else f"{step} years from", self.things, self.unit, "links from these"]
        years = table(head, [[str(year), *map(_number, row)] for year, row in sorted(rows.items())], self.title)
        each = []
        for name in self.named:
            day, size, label = self.documents[name]
            each.append([shorten(str(name), 12), shorten(label, 48), str(day), _number(size), str(linked[name])])
        names = table(["the largest", "title", "day", self.unit, "linked by"], each, words=("title",))
        return "\n\n".join([years, names, self.summary(), *filter(None, [self.note])])

    def summary(self) -> str:
        """Return in a sentence how many documents and links there are."""
        of = f" (of {len(self.links) + self.elsewhere:,})" if self.elsewhere else ""
        return f"{self.things}: {len(self.documents):,}; links between them: {len(self.links):,}{of}."

    def alt(self) -> str:
        """Return the findings in words, for those who do not see the figure."""
        days, linked = [document.day for document in self.documents.values()], self.linked
        largest = (f"{self._called(name)} ({_number(self.documents[name].size)})" for name in self.largest[:3])
        coloured = (f"{self._called(name)} (by {linked[name]})" for name in self.coloured)
        return (
            f'"{self.title}": {len(days):,} {self.things} from {days[0]} to {days[-1]} hang as discs below an axis of '
            f"time; a disc's area is its {self.unit}. Above it are arcs, one for each of {len(self.links):,} links. "
            f"The largest: {'; '.join(largest)}. Of the {len(self.named)} largest, most linked, and each with its arcs "
            f"in a colour: {'; '.join(coloured) or 'none'}."
        )

    def _called(self, name: Hashable) -> str:
        return f"{name} {self.documents[name].label}"

    def plot(self) -> Figure:
        """Return the figure."""
        return draw_arcs(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return bundle(image(self.plot(), self.alt()), self.text())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Arcs {self.title!r}: {self.summary()}>"


def arcs(
    title: str,
    documents: Mapping[Hashable, tuple[date, float, str]],
    links: Iterable[Link],
    *,
    unit: str,
    things: str = "documents",
    named: int = 16,
    note: str = "",
) -> Arcs:
    """Return documents in time and the links between them, to be shown by being a cell's last expression.

    `documents` are (day, size, title) by name, such as {492: (date(2015, 4, 9), 531, "Coroutines with async")}; two may
    have one title. `links` are pairs of names: the one that links, and the one that it links to. One that is given
    twice counts once; one from a document to itself does not; one with an end that is no document of these is not
    drawn but counted. `unit` says what a size counts, such as "mentions of async", and `things` what the documents
    are. The `named` largest have their titles in the figure, up to 20. `note` is a last line, such as the source.

    Raises ValueError if there are no documents, more than 1,000 or more than 2,000 links between them, or if a
    document or a link makes no sense: a day that is no `date`, a size that is not above 0 and finite, a title that is
    empty, a link that is no pair.
    """
    if not isinstance(documents, Mapping) or not documents:
        raise ValueError('nothing to show: give the documents as {name: (day, size, "title"), ...}')
    checked = {name: _checked(name, document) for name, document in documents.items()}
    ordered = dict(sorted(checked.items(), key=lambda item: item[1].day))
    if not (isinstance(named, int) and 0 <= named <= MOST_NAMED):
        raise ValueError(f"named must be a whole number from 0 to {MOST_NAMED}, not {named!r}")
    pairs = [pair for pair in dict.fromkeys(map(_pair, links)) if pair[0] != pair[1]]
    inside = tuple(pair for pair in pairs if pair[0] in ordered and pair[1] in ordered)
    for count, most, what in ((len(ordered), MOST_DOCUMENTS, things), (len(inside), MOST_LINKS, "links")):
        if count > most:
            raise ValueError(f"{count:,} {what} cannot be told apart in one picture: show at most {most:,}")
    return Arcs(title, ordered, inside, len(pairs) - len(inside), things, unit, named, note)


def _checked(name: Hashable, document: tuple[date, float, str]) -> Document:
    """Return `document` as one if it makes sense; else raise a ValueError that names it."""
    try:
        day, size, label = document
        sensible = isinstance(day, date) and 0 < size < math.inf and isinstance(label, str) and label.strip()
    except (TypeError, ValueError):
        sensible = False
    if not sensible:
        raise ValueError(f'document {name!r} is not (day, size, "title"), a date and a size above 0: {document!r}')
    return Document(date(day.year, day.month, day.day), size, " ".join(label.split()))


def _pair(link: Link) -> Link:
    try:
        source, target = link
    except (TypeError, ValueError):
        raise ValueError(f"a link is a pair of names, (who links, to whom), not {link!r}") from None
    return source, target


def _years(documents: Mapping[Hashable, Document]) -> tuple[int, int]:
    """Return the first year and the last."""
    years = [document.day.year for document in documents.values()]
    return years[0], years[-1]


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


# ---- the picture; all its lengths are inches

_SIDE = 0.45  # margin at the left and the right
_HEAD, _ARCHES, _BAND, _DEPTH = 0.98, 2.2, 0.25, 2.35  # heights: of title, arcs and axis; how deep the discs may hang
_ROW, _FOOT = 0.185, 0.4  # heights of a line in the list of the largest, and of the last line
_RADIUS, _LEAST, _GAP = 0.42, 0.012, 0.018  # of the largest disc and of the smallest; between two
_LETTERS, _LABEL = 6.5, 0.15  # the smallest letters, in points; the height of a name below its disc
_PLAIN = "#C8CFD7"  # an arc without a colour

Circle = tuple[float, float, float]  # where its centre is, across and down, and its radius


def draw_arcs(result: Arcs) -> Figure:
    """Draw discs that hang below an axis of time, arcs above it, and at the foot the list of the largest.

    Discs touch none before them: each hangs as high as it may, the largest first. Where there is no room for that, all
    are smaller, and at last they overlap.
    """
    with style.applied():
        return _Picture(result).fig


class _Picture:
    """The figure while it is drawn. Its axes are inches from the lower left corner."""

    def __init__(self, result: Arcs) -> None:
        self.result = result
        self.named = {name: shorten(str(name), 12) for name in result.named}
        by_size = [name for name in result.largest if name in result.coloured]
        self.colors = dict(zip(by_size, style.CYCLE, strict=False))
        self.first, last = _years(result.documents)
        self.years = last + 1 - self.first
        self.x = {name: self.across(_in_years(day)) for name, (day, *_) in result.documents.items()}
        self.radius, self.drop, depth = self.hung()
        rows = math.ceil(len(self.named) / 2)
        self.axis = _FOOT + (rows + 1) * _ROW + 0.15 + depth  # where the discs hang
        self.height = self.axis + _BAND + _ARCHES + _HEAD
        self.fig = style.figure(height=self.height)
        self.ax = self.fig.add_axes((0, 0, 1, 1), xlim=(0, style.WIDTH), ylim=(0, self.height))
        self.ax.axis("off")
        self.draw_axis()
        self.draw_arcs()
        self.draw_discs()
        self.write_words()
        self.write_list(rows)

    def across(self, moment: float) -> float:
        """Return where on the axis a moment is, given in years."""
        return _SIDE + (moment - self.first) / self.years * (style.WIDTH - 2 * _SIDE)

    def hung(self) -> tuple[dict[Hashable, float], dict[Hashable, float], float]:
        """Return the radius of each disc, how far below the axis its centre is, and how deep the lowest hangs."""
        sizes = {name: size for name, (_, size, _) in self.result.documents.items()}
        largest = max(sizes.values())
        scales = np.geomspace(_RADIUS, _RADIUS / 8, 12)
        for scale in scales:
            radius = {name: max(_LEAST, scale * math.sqrt(size / largest)) for name, size in sizes.items()}
            shapes = {name: self.shape(name, radius[name]) for name in self.result.largest}
            drop, depth = _hang(shapes, math.inf if scale == scales[-1] else _DEPTH)
            if depth <= _DEPTH:
                return radius, drop, depth
        return radius, {name: down * _DEPTH / depth for name, down in drop.items()}, _DEPTH

    def shape(self, name: Hashable, radius: float) -> list[Circle]:
        """Return the room that a disc takes: itself and, if its name has no room in it, circles over the name below."""
        circles = [(self.x[name], 0.0, radius)]
        if name in self.named and not _letters(self.named[name], radius):
            half = max(0.0, _width(self.named[name], _LETTERS) - _LABEL) / 2
            places = np.linspace(-half, half, 1 + math.ceil(2 * half / _LABEL))
            circles += [(self.x[name] + place, radius + _LABEL / 2, _LABEL / 2) for place in places]
        return circles

    def draw_axis(self) -> None:
        for y in (self.axis, self.axis + _BAND):
            self.ax.plot([_SIDE - 0.1, style.WIDTH - _SIDE + 0.1], [y, y], color=style.RULE, lw=0.8, zorder=3)
        wide = (style.WIDTH - 2 * _SIDE) / self.years
        step = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if n * wide > (0.28 if n == 1 else 0.45))
        for year in range(-(-self.first // step) * step, self.first + self.years, step):
            look, text = {"size": 7.5, "color": style.FAINT}, f"{year}"
            if year % (5 * step) == 0:
                look = {"size": 8, "weight": "bold"}
            elif wide < 0.45 and step == 1:
                text = f"{year % 100:02}"
            self.write(self.across(year + 0.5), self.axis + _BAND / 2, text, ha="center", **look)

    def draw_arcs(self) -> None:
        spans = [abs(self.x[source] - self.x[target]) for source, target in self.result.links]
        widest = max(spans, default=0) or 1
        outlines: dict[str, list[np.ndarray]] = {}
        for (source, target), span in zip(self.result.links, spans, strict=True):
            high = (_ARCHES - 0.05) * (span / widest) ** 0.7  # the shortest, too, stand up
            thick = 0.028 if target in self.colors else 0.013
            outline = _arc(self.x[source], self.x[target], high, thick)
            outlines.setdefault(self.colors.get(target, _PLAIN), []).append(outline + np.array((0, self.axis + _BAND)))
        for color, shapes in outlines.items():
            plain = color == _PLAIN
            look = {"alpha": None if plain else 0.9, "zorder": 2 if plain else 4, "antialiased": len(shapes) < 500}
            self.ax.add_collection(PolyCollection(shapes, fc=color, lw=0, **look))

    def draw_discs(self) -> None:
        places = {name: (self.x[name], self.axis - self.drop[name]) for name in self.x}
        threads = [[(x, y), (x, self.axis)] for x, y in places.values()]
        self.ax.add_collection(LineCollection(threads, colors=style.GRID, lw=0.8, zorder=1))
        wide = [2 * self.radius[name] for name in places]
        where = {"units": "xy", "offsets": list(places.values()), "offset_transform": self.ax.transData}
        look = {"fc": [self.color(name) for name in places], "ec": "white", "lw": 0.5, "zorder": 5}
        self.ax.add_collection(EllipseCollection(wide, wide, [0], **where, **look))
        for name, text in self.named.items():
            (x, y), letters = places[name], _letters(text, self.radius[name])
            look = {"size": letters or _LETTERS, "ha": "center", "weight": "bold"}
            if not letters:
                y -= self.radius[name] + _LABEL / 2
            elif self.color(name) in (style.BLUE, style.VERMILLION):
                look["color"] = "white"
            self.write(x, y, text, **look)

    def color(self, name: Hashable) -> str:
        return self.colors.get(name, style.RULE)

    def write_words(self) -> None:
        """Write title, legend and last line."""
        result, room = self.result, style.WIDTH - 2 * _SIDE
        letters = max(11.0, min(17.0, room / _width(result.title, 1)))
        title = _fitted(result.title, room / 1.12, letters)
        self.write(_SIDE - 0.02, self.height - 0.34, title, size=letters, weight="bold")
        disc = f"A disc for each of {len(result.documents):,} {result.things}, below its day. Its area: {result.unit}."
        arc = "An arc for each link, thicker towards what it leads to."
        if self.colors:
            arc += f" In colour: those to the most linked of the {len(self.named)} largest."
        last = f"{result.summary()} {result.note}"
        for y, size, text in ((self.height - 0.64, 8.5, disc), (self.height - 0.81, 8.5, arc), (0.17, 7.5, last)):
            self.write(_SIDE, y, _fitted(text, room, size), size=size, color=style.FAINT)

    def write_list(self, rows: int) -> None:
        """Write the list of the largest in two columns, the earliest first."""
        small = {"size": 7.5, "color": style.FAINT}
        wide, between = (style.WIDTH - 2 * _SIDE - 0.4) / 2, 0.4
        names = max((_width(text, 7.5) for text in self.named.values()), default=0)
        for number, (name, text) in enumerate(self.named.items()):
            left, y = _SIDE + number // rows * (wide + between), _FOOT + (rows - 1 - number % rows) * _ROW
            day, size, label = self.result.documents[name]
            if number % rows == 0:
                unit = _fitted(self.result.unit, wide, 7)
                self.write(left + wide, y + _ROW, unit, ha="right", size=7, color=style.FAINT)
            start = left + 0.5 + names
            self.write(left, y, f"{day.year}", **small)
            self.write(start, y, text, ha="right", size=7.5, weight="bold")
            self.ax.plot(start + 0.15, y, "o", ms=6, color=self.color(name))
            self.write(start + 0.3, y, _fitted(label, left + wide - 0.4 - start - 0.3, 7.5), size=7.5)
            self.write(left + wide, y, _number(size), ha="right", **small)

    def write(self, x: float, y: float, text: str, **look: Any) -> None:
        self.ax.text(x, y, text, va="center_baseline", zorder=6, parse_math=False, **look)


def _in_years(day: date) -> float:
    return day.year + (day.toordinal() - date(day.year, 1, 1).toordinal()) / 366


def _width(text: str, letters: float) -> float:
    """Return the width of `text` in bold letters."""
    return 1.12 * style.text_width(text, letters)


def _letters(text: str, radius: float) -> float:
    """Return the size of the letters, in points, in which `text` fits into a disc; 0 if none could read it."""
    letters = min(16.0, 0.82 * radius / (math.hypot(_width(text, 1), 0.73 / 72) / 2))
    return letters if letters >= _LETTERS else 0


def _fitted(text: str, room: float, letters: float) -> str:
    """Return `text`, cut to fit into `room`."""
    cut = text
    while cut and style.text_width(cut + "…" * (cut != text), letters) > room:
        cut = cut[:-1].rstrip()
    return cut + "…" * (cut != text)


def _hang(shapes: Mapping[Hashable, list[Circle]], most: float) -> tuple[dict[Hashable, float], float]:
    """Return how far down each of `shapes` comes to hang, and how deep the lowest reaches.

    They take their places in their order, each as high as those before it allow. Stops where one is below `most`.
    """
    placed = np.zeros((3, sum(map(len, shapes.values()))))
    count, deepest, drop = 0, 0.0, {}
    for name, circles in shapes.items():
        taken = []  # from where to where its centre cannot be
        xs, downs, radii = placed[:, :count]
        for x, down, radius in circles:
            apart = radii + radius + _GAP
            near = np.abs(xs - x) < apart
            half = np.sqrt(apart[near] ** 2 - (xs[near] - x) ** 2)
            taken += zip(downs[near] - half - down, downs[near] + half - down, strict=True)
        place = circles[0][2] + 0.06
        for low, high in sorted(taken):
            if low < place < high:
                place = high
        drop[name] = place
        for x, down, radius in circles:
            placed[:, count] = x, place + down, radius
            count, deepest = count + 1, max(deepest, place + down + radius)
        if deepest > most:
            break
    return drop, deepest


def _arc(start: float, end: float, high: float, thick: float) -> np.ndarray:
    """Return the outline of half an ellipse over the axis, from next to nothing at its start to `thick` at its end."""
    turn = np.linspace(0, np.pi, 65)
    half = (start - end) / 2
    middle = np.column_stack([end + half * (1 + np.cos(turn)), high * np.sin(turn)])
    along = np.column_stack([half * np.sin(turn), -high * np.cos(turn)])
    across = along[:, ::-1] * (1, -1) / np.hypot(*along.T).clip(1e-9)[:, None]
    aside = across * np.linspace(0.005, thick, len(turn))[:, None] / 2
    return np.concatenate([middle + aside, (middle - aside)[::-1]])
