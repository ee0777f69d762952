"""The website: what its pages say of the PEPs, to the word and to the link, and how they are served."""

import csv
import gzip
import http.client
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from asynclab.services.tricky_titles import TRICKY
from servers import ask, servers, stats

with (Path(__file__).parents[3] / "data" / "peps.csv").open(encoding="utf-8", newline="") as file:
    PEPS = {int(row["number"]): row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def web():
    with servers() as web:
        yield web


class Page(HTMLParser):
    """What a reader sees: title, the text of <main>, facts, links; and what is not closed as it was opened."""

    def __init__(self, text):
        super().__init__()
        self.open, self.title, self.main, self.links, self.facts = [], "", "", [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag != "meta":
            self.open.append(tag)
        if tag == "a":
            self.links.append(dict(attributes)["href"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "main" in self.open:
            self.main += data
        if "title" in self.open:
            self.title += data
        if self.open and self.open[-1] == "dd":
            self.facts.append(data)


def path(number):
    return f"/pep-{number:04}/"


def test_every_page_is_exact_in_words_links_and_facts(web):
    connection = http.client.HTTPConnection(urlsplit(web.site).netloc, timeout=20)
    total = 0
    for number, row in PEPS.items():
        reply = ask(web.site + path(number), connection=connection)
        assert reply.status == 200
        page = Page(reply.text)
        words = page.main.split()
        assert len(words) == int(row["words"]), number
        assert sum("async" in word for word in words) == int(row["async_mentions"]), number
        assert page.links == ["/", *(path(int(each)) for each in row["links"].split())], number
        assert page.title == f"PEP {number} – {row['title']}"
        assert page.facts == [row["title"], row["status"], row["type"], row["created"]]
        total += len(words)
    connection.close()
    assert (len(PEPS), total) == (736, 1_926_584)


def test_text_is_the_same_however_tags_are_taken_away_and_at_every_start(web):
    for number in (2, 8, 492):
        text = ask(web.site + path(number)).text
        main = re.search("<main>(.*)</main>", text, re.S)[1]
        assert len(re.sub("<[^>]*>", "", main).split()) == len(re.sub("<[^>]*>", " ", main).replace(" .", ".").split())
        with servers() as other:
            assert ask(other.site + path(number)).text == text


def test_the_index_and_the_sitemap_name_every_page(web):
    page = Page(ask(f"{web.site}/").text)
    assert page.links == ["/", *map(path, PEPS)]
    assert "Marking Python base environments as “externally managed”" in page.main
    reply = ask(f"{web.site}/sitemap.xml")
    assert reply.headers["Content-Type"] == "application/xml; charset=utf-8"
    names = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    urls = ET.fromstring(reply.body).findall("s:url", names)
    assert [url.findtext("s:loc", None, names) for url in urls] == [f"{web.site}/", *(web.site + path(n) for n in PEPS)]
    assert urls[1].findtext("s:lastmod", None, names) == "2000-06-13"
    robots = ask(f"{web.site}/robots.txt")
    assert robots.headers.get_content_type() == "text/plain"
    assert robots.text.splitlines() == ["User-agent: *", "Disallow: /private/", "", f"Sitemap: {web.site}/sitemap.xml"]


@pytest.mark.parametrize("page", ["/", "/pep-0008/", "/sitemap.xml", "/robots.txt"])
def test_gzip_and_etag(web, page):
    url = web.site + page
    plain = ask(url)
    assert "Content-Encoding" not in plain.headers and plain.headers["Vary"] == "Accept-Encoding"
    zipped = ask(url, headers={"Accept-Encoding": "deflate, gzip;q=0.5"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body
    assert zipped.headers["ETag"] != plain.headers["ETag"], "other bytes, other tag"
    assert "Content-Encoding" not in ask(url, headers={"Accept-Encoding": "gzip;q=0, br"}).headers
    for tag in (plain.headers["ETag"], f'"other", W/{plain.headers["ETag"]}', "*"):
        known = ask(url, headers={"If-None-Match": tag})
        assert (known.status, known.body, known.headers["ETag"]) == (304, b"", plain.headers["ETag"])
    assert ask(url, headers={"If-None-Match": '"other"'}).body == plain.body
    assert ask(url, headers={"If-None-Match": plain.headers["ETag"], "Accept-Encoding": "gzip"}).status == 200
    head = ask(url, "HEAD")
    assert (head.body, head.headers["Content-Length"]) == (b"", str(len(plain.body)))


def test_other_paths(web):
    moved = ask(f"{web.site}/pep-0008?client=me")
    assert (moved.status, moved.headers["Location"]) == (301, "/pep-0008/?client=me")
    for missing in ("/pep-9999/", "/pep-8/", "/private/", "/tricky/24", "/tricky/x", "/tricky/²"):
        assert ask(web.site + missing.replace("²", "%C2%B2")).status == 404
    assert ask(f"{web.site}/", "POST").status == 405


def test_the_witness_sees_the_website_too(web):
    ask(f"{web.site}/pep-0008/?client=crawler")
    ask(f"{web.site}/pep-0008/", headers={"X-Client": "crawler"})
    ask(f"{web.site}/pep-0008/?error_rate=1", headers={"X-Client": "crawler"})
    seen = stats(web, "crawler")
    assert (seen["by_path"], seen["statuses"]) == ({"/pep-0008/": 3}, {"200": 2, "500": 1})


def test_tricky_titles_are_listed_and_served(web):
    listed = ask(f"{web.site}/tricky/").json
    assert [each["path"] for each in listed] == [f"/tricky/{n}" for n in range(24)]
    assert len({each["title"] for each in listed}) == 22, "three have none"
    for each, (title, source, charset) in zip(listed, TRICKY, strict=True):
        reply = ask(web.site + each["path"])
        assert (reply.status, reply.text, each["title"]) == (200, source, title)
        assert reply.headers.get_content_charset() == charset
        assert title == title.strip(" \t\n\r\f"), "as the standard strips it"
