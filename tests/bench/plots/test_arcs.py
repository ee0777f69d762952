"""`arcs`: documents in time, and the links between them."""

import itertools
import math
from datetime import date, datetime, timedelta

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from asynclab.page.html import png
from asynclab.plots.arcs import arcs

DOCUMENTS = {
    255: (date(2001, 5, 18), 53, "Simple Generators"),
    492: (date(2015, 4, 9), 531, "Coroutines with async"),
    342: (date(2005, 5, 10), 131, "Enhanced Generators"),
    346: (date(2005, 5, 6), 2.5, "Enhanced Generators"),  # two may have one title
}
LINKS = [(342, 255), (492, 342), (492, 342), (346, 342), (255, 255), (492, 8), (8, 492), (342, 492)]


def pictured(documents=DOCUMENTS, links=LINKS, title="A history", unit="mentions", **more):
    return arcs(title, documents, links, unit=unit, **more)


def test_the_table_tells_the_years_and_the_largest_documents():
    lines = [" ".join(line.split()) for line in pictured(things="papers", note="From four pages.").text().splitlines()]
    assert lines == [
        "A history",
        "",
        "year papers mentions links from these",
        "2001 1 53 0",
        "2005 2 133.50 3",
        "2015 1 531 1",
        "",
        "the largest title day mentions linked by",
        "255 Simple Generators 2001-05-18 53 1",
        "346 Enhanced Generators 2005-05-06 2.50 0",
        "342 Enhanced Generators 2005-05-10 131 2",
        "492 Coroutines with async 2015-04-09 531 1",
        "",
        "papers: 4; links between them: 4 (of 6).",  # none is counted twice, and none from a document to itself
        "",
        "From four pages.",
    ]


def test_the_alternative_text_tells_the_same():
    html = pictured()._repr_mimebundle_()["text/html"]
    assert "4 documents from 2001-05-18 to 2015-04-09" in html
    assert "one for each of 4 links" in html
    assert "The largest: 492 Coroutines with async (531); 342 Enhanced Generators (131);" in html
    assert "in a colour: 342 Enhanced Generators (by 2); 492 Coroutines with async (by 1); 255" in html
    assert "in a colour: none." in pictured(links=[]).alt()


def test_what_is_named_is_chosen_by_size_and_what_is_coloured_by_links():
    result = pictured(named=2)
    assert result.named == [342, 492]
    assert result.coloured == [342, 492]  # 255 is not named
    assert pictured(named=0).coloured == []


def crowd(count, links, days=9000):
    names = [f"document {k}" for k in range(count)]
    sizes = [1 + k * 7919 % 500 for k in range(count)]
    documents = {
        name: (date(2000, 1, 1) + timedelta(k * 7919 % days), sizes[k], "$a$ long title " * 8)
        for k, name in enumerate(names)
    }
    return pictured(
        documents,
        [(names[k * 31 % count], names[k * k % count]) for k in range(links)],
        **dict.fromkeys(("title", "unit", "things", "note"), "A long text. " * 20),
    )


@pytest.mark.parametrize(
    ("result", "crowded"),
    [
        (crowd(1000, 2000), False),
        (crowd(300, 200, days=3), True),  # in three days there is no room for so many: they overlap
        (crowd(40, 40), False),
        (pictured(), False),
        (
            pictured(
                {"$x$": (date(1, 1, 1), 1e-9, "a"), "y" * 90: (date(9999, 12, 31), 1e9, "b")}, [("y" * 90, "$x$")]
            ),
            False,
        ),
        (pictured({1: (datetime(2000, 2, 29, 12), 1, "a")}, [], named=0), False),
    ],
    ids=["most", "three days", "some", "few", "far apart", "one"],
)
def test_whatever_is_shown_stays_on_the_page_and_small(result, crowded):
    assert len(result.text().splitlines()) <= 60
    figure = result.plot()
    assert len(png(figure)) <= 200_000
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.axes[0].texts]
    for box in boxes:
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1 and 0 <= box.y0 <= box.y1 <= figure.bbox.y1
    if crowded:
        return
    for (one, here), (other, there) in itertools.combinations(zip(figure.axes[0].texts, boxes, strict=True), 2):
        assert not here.overlaps(there), (one, other)


DAY = date(2000, 1, 1)


@pytest.mark.parametrize(
    ("documents", "links", "says"),
    [
        ({}, [], "nothing to show"),
        ([(DAY, 1, "a")], [], "nothing to show"),
        ({"a": (math.nan, 1, "b")}, [], "document 'a' is not"),
        ({"a": ("2000-01-01", 1, "b")}, [], "document 'a' is not"),
        ({"a": (DAY, 0, "b")}, [], "document 'a' is not"),
        ({"a": (DAY, math.nan, "b")}, [], "document 'a' is not"),
        ({"a": (DAY, math.inf, "b")}, [], "document 'a' is not"),
        ({"a": (DAY, "1", "b")}, [], "document 'a' is not"),
        ({"a": (DAY, 1, " ")}, [], "document 'a' is not"),
        ({"a": (DAY, 1)}, [], "document 'a' is not"),
        ({"a": None}, [], "document 'a' is not"),
        (DOCUMENTS, [(492, 342, 255)], "a link is a pair of names"),
        (DOCUMENTS, [492], "a link is a pair of names"),
        (dict.fromkeys(range(1001), (DAY, 1, "a")), [], "1,001 documents cannot be told apart"),
        (dict.fromkeys(range(60), (DAY, 1, "a")), itertools.permutations(range(60), 2), "3,540 links cannot be told"),
    ],
)
def test_bad_input(documents, links, says):
    with pytest.raises(ValueError, match=says):
        pictured(documents, links)


@pytest.mark.parametrize("named", [-1, 21, 1.5, "5"])
def test_bad_numbers_of_names(named):
    with pytest.raises(ValueError, match="named must be a whole number from 0 to 20"):
        pictured(named=named)
