"""The website: an index, a page for each of 736 PEPs, a sitemap, and pages whose titles are hard to read.

What a page says of its PEP (title, status, type, date, links) is real. Its text is not the PEP's: it is drawn, seeded
by the PEP's number, and has exactly as many words, and as many times "async", as `data/peps.csv` says.
"""

from __future__ import annotations

import csv
import functools
import gzip
import hashlib
import random
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

from aiohttp import web

from .middleware import answer, base, watched
from .record import Record
from .tricky_titles import TRICKY

_PEPS = Path(__file__).resolve().parents[3] / "data" / "peps.csv"
# As they stand in HTML. None holds white space: however the tags are taken away, each stays one word.
_VOCABULARY = """
a about above accepted after again all allow already also although always an and another any approach are argument as
at author backwards be because become been before behaviour being below better between both break bug but by café call
can case change class clear code common compatible compiler complex concern consider could current decide default
define deprecated describe design detail developer different discussion do document does don’t each early easy either
error even every example except existing explicit expression fast feature few file first following for form from
function general give good handle has have help here how however idea if implement implicit import in include instance
instead interface into is issue it its just keep know language large later less level library like limit list loop
made main make many matter may meaning method might module more most motivation must naïve name need never new
<em>not</em> next no not note nothing now object of often old on once one only open operator option or order other our
own package part pass people perhaps point possible previous problem program proposal provide purpose python question
R&amp;D rationale reader reason reference reject release remain remove require result return right rule runtime same
section see semantics set should simple since small so some specification standard state statement step still string
such support syntax take term test text than that the their them then there these they this though through time to
today tool tuple type under unless until up use used user value variable version <em>very</em> want was way we what
when where whether which while who why will with within without word work would write x&lt;y yet you
"""
_WORDS = _VOCABULARY.split()


class _Page:
    """A page that is made: its bytes, plain and compressed, and the tag of this state of it."""

    def __init__(self, text: str, content_type: str = "text/html") -> None:
        self.content_type = f"{content_type}; charset=utf-8"
        self.body = text.encode()
        self.etag = hashlib.blake2b(self.body, digest_size=12).hexdigest()

    @functools.cached_property
    def zipped(self) -> bytes:
        """The bytes under gzip; the same ones every time, without a date in them."""
        return gzip.compress(self.body, 6, mtime=0)

    def answer(self, request: web.Request) -> web.Response:
        """Answer with the page, under gzip for who takes it, or with 304 for who has it."""
        zipped = _takes_gzip(request)
        etag = f"{self.etag}-gzip" if zipped else self.etag  # other bytes, other tag
        headers = {"ETag": f'"{etag}"', "Vary": "Accept-Encoding", "Cache-Control": "no-cache"}
        if any(known.value in ("*", etag) for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = self.content_type
        if zipped:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=self.zipped if zipped else self.body, headers=headers)


def application(record: Record) -> web.Application:
    """Return the website as an application of aiohttp."""
    site = _Site()
    app = web.Application(middlewares=[watched(record)])
    app.router.add_get("/", site.index)
    app.router.add_get(r"/pep-{number:\d{4}}/", site.pep)
    app.router.add_get(r"/pep-{number:\d{4}}", site.without_slash)
    app.router.add_get("/sitemap.xml", site.sitemap)
    app.router.add_get("/robots.txt", site.robots)
    app.router.add_get("/tricky/", site.tricky_titles)
    app.router.add_get("/tricky/{n}", site.tricky)
    return app


class _Site:
    """The handlers, and the pages once they are made."""

    def __init__(self) -> None:
        with _PEPS.open(encoding="utf-8", newline="") as file:
            self.peps = {int(row["number"]): row for row in csv.DictReader(file)}
        self.pages: dict[int | str, _Page] = {}

    async def index(self, request: web.Request) -> web.Response:
        return self._made("index", self._index).answer(request)

    def _index(self) -> str:
        links = "\n".join(
            f'<li><a href="{_path(number)}">PEP {number}</a> {escape(row["title"])}</li>'
            for number, row in self.peps.items()
        )
        return f"{_head('Index of PEPs')}<main>\n<ol>\n{links}\n</ol>\n</main>\n</body>\n</html>\n"

    async def pep(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if number not in self.peps:
            raise web.HTTPNotFound
        return self._made(number, lambda: _pep(self.peps[number])).answer(request)

    async def without_slash(self, request: web.Request) -> web.Response:
        return web.Response(
            status=301, headers={"Location": str(request.rel_url.with_path(f"{request.path}/", keep_query=True))}
        )

    async def sitemap(self, request: web.Request) -> web.Response:
        urls = "\n".join(
            f"<url><loc>{escape(base(request) + _path(number))}</loc><lastmod>{row['created']}</lastmod></url>"
            for number, row in self.peps.items()
        )
        text = (
            '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            f"<url><loc>{escape(base(request))}/</loc></url>\n{urls}\n</urlset>\n"
        )
        return _Page(text, "application/xml").answer(request)

    async def robots(self, request: web.Request) -> web.Response:
        text = f"User-agent: *\nDisallow: /private/\n\nSitemap: {base(request)}/sitemap.xml\n"
        return _Page(text, "text/plain").answer(request)

    async def tricky_titles(self, request: web.Request) -> web.Response:
        return answer([{"path": f"/tricky/{n}", "title": title} for n, (title, *_) in enumerate(TRICKY)])

    async def tricky(self, request: web.Request) -> web.Response:
        n = request.match_info["n"]
        if not (n.isascii() and n.isdigit() and int(n) < len(TRICKY)):
            raise web.HTTPNotFound
        _, source, charset = TRICKY[int(n)]
        return web.Response(body=source.encode(charset), headers={"Content-Type": f"text/html; charset={charset}"})

    def _made(self, name: int | str, make: Callable[[], str]) -> _Page:
        """Return the page of that name, which is made once."""
        if name not in self.pages:
            self.pages[name] = _Page(make())
        return self.pages[name]


def _pep(row: dict[str, str]) -> str:
    """Return the page of one PEP. Visible text in <main> is its drawn text, and nothing else."""
    number = int(row["number"])
    title = f"PEP {number} – {row['title']}"
    facts = "".join(
        f"<dt>{name}</dt><dd>{escape(row[name.lower()])}</dd>" for name in ("Title", "Status", "Type", "Created")
    )
    links = "\n".join(f'<li><a href="{_path(int(each))}">PEP {each}</a></li>' for each in row["links"].split())
    body = "\n".join(_text(number, int(row["words"]), int(row["async_mentions"])))
    return (
        f"{_head(title)}<dl>{facts}</dl>\n<main>\n{body}\n</main>\n"
        f'<aside>\n<h2>Links to other PEPs</h2>\n<ul class="links">\n{links}\n</ul>\n</aside>\n</body>\n</html>\n'
    )


def _text(seed: int, size: int, mentions: int) -> Iterator[str]:
    """Return elements of HTML with `size` words (as `str.split` counts them) in all, `mentions` of them "async"."""
    rng = random.Random(seed)
    words = rng.choices(_WORDS, k=size)
    for place in rng.sample(range(size), min(mentions, size)):
        words[place] = "async"
    at, paragraph = 0, 0
    while at < size:
        if paragraph % 5 == 0 and size - at > 50:
            yield f"<h2>{' '.join(words[at : at + 3])}</h2>"
            at += 3
        paragraph += 1
        sentences = []
        for _ in range(rng.randrange(3, 9)):
            sentence = " ".join(words[at : at + rng.randrange(6, 19)])
            at += sentence.count(" ") + 1
            sentences.append(
                f"{sentence}." if sentence.startswith("async") else f"{sentence[0].upper()}{sentence[1:]}."
            )
            if at >= size:
                break
        yield f"<p>{' '.join(sentences)}</p>"


def _head(title: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        "<style>body { max-width: 40em; margin: auto }</style>\n</head>\n<body>\n"
        f'<header><a href="/">All PEPs</a>\n<h1>{escape(title)}</h1></header>\n'
    )


def _path(number: int) -> str:
    return f"/pep-{number:04}/"


def _takes_gzip(request: web.Request) -> bool:
    for each in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, quality = each.replace(" ", "").partition(";q=")
        if name in ("gzip", "*"):
            return quality.strip("0.") != "" or not quality
    return False
