"""Attacks on chapter 5's AsyncWebScraper: what sites send, refuse, hide and break, and what the scraper says of it.

A `Site` answers each path with the bytes given, one after another, and keeps what it was asked: no well-made server
sends most of these. The pages of the PEPs come from `Services`.
"""

import asyncio
import contextlib
import gzip
import itertools
import socket
import struct
import time

import aiohttp
import pytest

from asynclab.taught import taught

m, deeper = taught(5), taught("05_real_world_applications_deeper")
SLACK = 5.0  # seconds that a busy machine may add
FAST = 100_000  # requests per second: no wait for a turn


def answer(body=b"", status="200 OK", **headers):
    """The bytes of an answer; `headers` with _ for -, None takes one away."""
    body = body.encode() if isinstance(body, str) else body
    fields = {"Content-Length": len(body), "Content-Type": "text/html; charset=utf-8"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def page(text="one two three", title="A title"):
    return f"<!doctype html><title>{title}</title><style>p {{ color: red }}</style><main><p>{text}</p></main>"


def moved(place, status="302 Found"):
    return answer("<p>elsewhere</p>", status, Location=place)


GOOD, NONE = answer(page()), answer("<p>nothing here</p>", "404 Not Found")
HANG_UP, RESET, SILENCE, END = b"", "reset", "silence", b"\r\n\r\n"
BUSY = answer("<p>busy</p>", "503 Service Unavailable")


class Site:
    """`async with Site({path: answer}) as site:` listens at `site.url`; `site.asked` are the paths asked for, in order.

    An answer is bytes, `HANG_UP`, `RESET` or `SILENCE`, or a list of them: one after another, and then the last again.
    A connection closes after an answer that is not as long as it says, unless `X-Stays` is one of its headers. There is
    no robots.txt unless given. No tasks.
    """

    def __init__(self, answers, delay=0.0):
        self.answers, self.delay = {"/robots.txt": NONE, **answers}, delay
        self.asked, self.serving, self.peak, self.open = [], 0, 0, set()

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Visitor(self), "127.0.0.1", 0, backlog=1000)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for transport in [*self.open]:
            transport.abort()
        await until(lambda: not self.open)

    def ask(self, path):
        self.asked.append(path)
        said = self.answers.get(path, NONE)
        return said[min(self.asked.count(path), len(said)) - 1] if isinstance(said, list) else said


class Visitor(asyncio.Protocol):
    """A connection to a site."""

    def __init__(self, site):
        self.site, self.head = site, b""

    def connection_made(self, transport):
        self.transport = transport
        self.site.open.add(transport)

    def connection_lost(self, error):
        self.site.open.discard(self.transport)

    def data_received(self, data):
        self.head += data
        if b"\r\n\r\n" in self.head:
            said, self.head = self.site.ask(self.head.split()[1].decode()), b""
            self.site.serving += 1
            self.site.peak = max(self.site.peak, self.site.serving)
            asyncio.get_running_loop().call_later(self.site.delay, self.answer, said)

    def answer(self, said):
        self.site.serving -= 1
        if said == RESET:
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        elif said != SILENCE:
            self.transport.write(said)
            whole = f"Content-Length: {len(said.partition(END)[2])}\r\n".encode() in said
            if not whole and b"X-Stays" not in said:
                self.transport.close()


async def until(condition):
    """Wait until it holds: closing takes the loop a moment."""
    end = time.monotonic() + SLACK
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def scraping(*options, **more):
    """A scraper that has to end without a task, a session or a connection left."""
    before = asyncio.all_tasks()
    async with m.AsyncWebScraper(*options or (FAST,), **more) as scraper:
        yield scraper
        assert not scraper.session.connector._acquired, "a connection was not given back"
    assert scraper.session.closed
    await until(lambda: asyncio.all_tasks() <= before)


def check(result, url, **expected):
    """Have the guide's keys, in one of its two shapes, and what is expected; `error` is a part of the text."""
    assert result["url"] is url
    if result["success"]:
        assert list(result) == ["url", "status", "title", "word_count", "success"], result
    else:
        assert set(result) - {"status"} == {"url", "error", "success"} and result["error"], result
    error = expected.pop("error", "")
    assert expected.items() <= result.items() and error in result.get("error", ""), result


# ---------------------------------------------------------------- one page


LATIN, MOST = "Garçon, où est le café?", 2**22
ONE = {
    "a page": (GOOD, {"success": True, "title": "A title", "word_count": 3}),
    "no charset": (answer(page("äöü"), Content_Type="text/html"), {"word_count": 1, "success": True}),
    "latin-1": (
        answer(page(LATIN, "Ça").encode("latin-1"), Content_Type="text/html; charset=ISO-8859-1"),
        {"title": "Ça", "word_count": 5},
    ),
    "no such charset": (answer(page(), Content_Type="text/html; charset=klingon"), {"word_count": 3, "success": True}),
    "a codec of no text": (answer(page(), Content_Type="text/html; charset=zlib"), {"word_count": 3}),
    "undecodable bytes": (answer(page(LATIN).encode("latin-1")), {"word_count": 5, "title": "A title"}),
    "no title but a picture's": (answer("<svg><title>No</title></svg><p>a b"), {"title": "", "success": True}),
    "no main": (answer("<title>T</title><p>x <em>y</em>z</p><script>a b c</script>"), {"word_count": 2}),
    "frames": (answer("<title>T</title><frameset><frame></frameset>"), {"title": "T", "success": True}),
    "nothing": (answer(), {"title": "", "word_count": 0, "success": True}),
    "a deep page": (answer("<div>" * 5_000 + "deep"), {"success": True, "word_count": 1}),
    "as long as may be": (answer(b" " * MOST), {"success": True}),
    "a byte too long": (answer(b" " * (MOST + 1)), {"success": False, "error": "4,194,304 bytes"}),
    "10 MB": (answer(b"a " * 5_000_000), {"success": False, "error": "more than"}),
    "10 MB in 10 kB of gzip": (
        answer(gzip.compress(b"a " * 5_000_000), Content_Encoding="gzip"),
        {"success": False, "error": "more than"},
    ),
    "gzip": (answer(gzip.compress(page().encode()), Content_Encoding="gzip"), {"success": True, "word_count": 3}),
    "gzip that is none": (answer(page(), Content_Encoding="gzip"), {"success": False, "error": "content-encoding"}),
    "a picture": (answer(b"\x89PNG", Content_Type="image/png"), {"success": False, "error": "image/png: no page"}),
    "no type": (answer(page(), Content_Type=None), {"success": False, "error": "no page"}),
    "gone": (answer(page(), "410 Gone"), {"success": False, "status": 410, "error": "410"}),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", {"success": False, "error": "no page"}),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\n\r\n", {"success": False, "error": "no page"}),
    "a redirect without a place": (answer("", "302 Found"), {"success": False, "error": "302"}),
    "a redirect to a file": (moved("ftp://127.0.0.1/x"), {"success": False, "error": "ftp://127.0.0.1/x"}),
    "a redirect to a mailbox": (moved("mailto:a@example.org"), {"success": False, "error": "mailto"}),
    "a redirect to half an address": (moved("http://[::1"), {"success": False, "error": "[::1"}),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", {"success": False}),
}


@pytest.mark.parametrize("name", ONE)
def test_one_page(name):
    sent, expected = ONE[name]

    async def main():
        async with Site({"/": sent}) as site, scraping() as scraper:
            url = site.url + "/"
            check(await scraper.scrape_url(url), url, **expected)
            assert set(site.asked) == {"/robots.txt", "/"}

    asyncio.run(main())


@pytest.mark.parametrize(
    "url",
    ["", " ", "x", "/path", "?", "http:", "http://", "http:///path", "http://:80/", "://x", "ftp://127.0.0.1/",
     "file:///etc/passwd", "mailto:a@example.org", "javascript:alert(1)", "http://127.0.0.1:99999/", "http://[::1",
     "http://127.0.0.1:1/", "http://exa mple.invalid/", "http://a..b/", "http://bücher.\udcfc/", "http://\x00/",
     "http://" + "a" * 64 + ".invalid/", None, 0, b"http://127.0.0.1/", ["x"], int],
    ids=lambda url: ascii(url)[:30],
)  # fmt: skip
def test_what_is_no_url_gets_an_entry_that_says_so(url):
    async def main():
        async with scraping() as scraper:
            check(await scraper.scrape_url(url), url, success=False)

    asyncio.run(main())


def test_titles_right_on_24_of_24(web):
    async def main():
        async with aiohttp.request("GET", web.site + "/tricky/") as response:
            truth = await response.json()
        async with scraping() as scraper:
            pages = await scraper.scrape_multiple_urls([web.site + right["path"] for right in truth])
        assert [page["title"] for page in pages] == [right["title"] for right in truth]
        assert len(pages) == 24

    asyncio.run(main())


# ---------------------------------------------------------------- again, and elsewhere


LATER = {
    "busy twice": ([BUSY, BUSY, GOOD], 3, {"success": True}),
    "busy for ever": ([BUSY], 3, {"success": False, "status": 503}),
    "too many requests": ([answer("", "429 Too Many", Retry_After="0"), GOOD], 2, {"success": True}),
    "a date that is past": (
        [answer("", "429 Too Many", Retry_After="Fri, 31 Dec 1999 23:59:59 GMT"), GOOD], 2, {"success": True},
    ),
    "come back tomorrow": ([answer("", "429 Too Many", Retry_After="86400"), GOOD], 1, {"status": 429}),
    "a reset": ([RESET, GOOD], 2, {"success": True}),
    "half a body": ([answer(page(), Content_Length=1000), GOOD], 2, {"success": True}),
    "half a body for ever": ([answer(page(), Content_Length=1000)], 3, {"success": False, "error": "Payload"}),
    "silence once": ([SILENCE, GOOD], 2, {"success": True}),
    "silence": ([SILENCE], 3, {"success": False, "error": "TimeoutError"}),
    "a body that falls silent": ([answer(page(), Content_Length=1000, X_Stays="open")], 3, {"error": "TimeoutError"}),
    "a 404 stays": ([NONE, GOOD], 1, {"success": False, "status": 404}),
    "a redirect": ([moved("/two?x=1#end")], 1, {"success": True, "title": "Two"}),
    "a chain": ([moved("/chain")], 1, {"success": True, "title": "Two"}),
    "a loop": ([moved("/")], 10, {"success": False, "error": "TooManyRedirects"}),
    "into a forbidden room": ([moved("/private/x")], 1, {"success": False, "error": "robots.txt forbids"}),
}  # fmt: skip


@pytest.mark.parametrize("name", LATER)
def test_tries_and_redirects(name):
    """How often a page is asked for, and that each request, of whatever kind, took its turn at the limiter."""
    answers, times, expected = LATER[name]

    async def main():
        others = {f"/chain{n or ''}": moved(f"/chain{n + 1}" if n < 4 else "/two?x=1") for n in range(5)}
        others |= {"/two?x=1": answer(page(title="Two")), "/private/x": GOOD}
        others["/robots.txt"] = answer("User-agent: *\nDisallow: /private/", Content_Type="text/plain")
        async with Site({"/": answers, **others}) as site, scraping(FAST, timeout=0.3) as scraper:
            turns = counted(scraper)
            url = site.url + "/"
            check(await scraper.scrape_url(url), url, **expected)
            assert site.asked.count("/") == times and "/private/x" not in site.asked
            assert len(turns) == len(site.asked)

    asyncio.run(main())


def counted(scraper):
    """Return a list to which each turn at the limiter adds one."""
    turns, limiter = [], scraper.rate_limiter

    class Counting:
        async def __aenter__(self):
            await limiter.acquire()
            turns.append(None)

        async def __aexit__(self, *_):
            pass

    scraper.rate_limiter = Counting()
    return turns


def test_what_aiohttp_sends_again_by_itself_takes_a_turn_too():
    """A connection that was kept, and closes as it is used again, makes aiohttp repeat the request."""

    async def main():
        async with Site({"/a": GOOD, "/b": [HANG_UP, GOOD]}) as site, scraping() as scraper:
            turns = counted(scraper)
            for path in "/a", "/b":
                check(await scraper.scrape_url(url := site.url + path), url, success=True)
            assert site.asked == ["/robots.txt", "/a", "/b", "/b"] and len(turns) == 4

    asyncio.run(main())


def test_the_rate_is_strict_with_retries_and_redirects():
    async def main():
        answers = {f"/{n}": [moved(f"/{n}/")] for n in range(20)} | {f"/{n}/": [BUSY, GOOD] for n in range(20)}
        async with Site(answers) as site, scraping(30) as scraper:
            went = []
            acquire = scraper.rate_limiter.acquire

            async def noted():
                await acquire()
                went.append(scraper.rate_limiter.went[-1])  # a clock read here may come late, on a busy machine

            type(scraper.rate_limiter).__aenter__, before = lambda self: noted(), type(scraper.rate_limiter).__aenter__
            try:
                results = await scraper.scrape_multiple_urls([site.url + f"/{n}" for n in range(20)])
            finally:
                type(scraper.rate_limiter).__aenter__ = before
            assert all(result["success"] for result in results)
            assert len(went) == len(site.asked) == 1 + 4 * 20
            assert all(later - sooner >= 1 for sooner, later in zip(went, went[30:], strict=False))

    asyncio.run(main())


def test_a_redirect_to_another_house_asks_its_robots():
    async def main():
        forbids = answer("User-agent: AsyncWebScraper\nDisallow: /", Content_Type="text/plain")
        async with Site({"/": GOOD}) as kind, Site({"/": GOOD, "/robots.txt": forbids}) as closed:
            answers = {"/kind": moved(kind.url + "/"), "/closed": moved(closed.url + "/")}
            async with Site(answers) as site, scraping() as scraper:
                urls = [site.url + "/kind", site.url + "/closed"]
                one, two = await scraper.scrape_multiple_urls(urls)
                check(one, urls[0], success=True, word_count=3)
                check(two, urls[1], success=False, error="robots.txt forbids")
            assert kind.asked == ["/robots.txt", "/"] and closed.asked == ["/robots.txt"]

    asyncio.run(main())


# ---------------------------------------------------------------- robots.txt


def rules(text, **headers):
    return answer(text, **{"Content_Type": "text/plain", **headers})


ROBOTS = {  # what it says, how often it is asked for, whether the page is read
    "there is none": (NONE, 1, True),
    "it is for others": (answer("no", "403 Forbidden"), 1, True),
    "it is empty": (rules(""), 1, True),
    "it forbids another room": (rules("User-agent: *\nDisallow: /private/"), 1, True),
    "it forbids all": (rules("User-agent: *\nDisallow: /"), 1, False),
    "it forbids us": (rules("User-agent: asyncwebscraper\nDisallow: /page\n\nUser-agent: *\nDisallow:"), 1, False),
    "it is no text": (rules(b"\xff\xfe\x00User-agent: *\nDisallow: /\n\x80"), 1, True),
    "it fails": (BUSY, 3, False),
    "it failed once": ([BUSY, rules("User-agent: *\nDisallow: /x")], 2, True),
    "it resets": (RESET, 6, False),  # at each try, aiohttp asks again by itself
    "it is silent": (SILENCE, 3, False),
    "it is huge": (rules("# x\n" * 3_000_000), 1, False),
    "it breaks off": (rules("User-agent: *\n", Content_Length=100), 3, False),
    "it has moved, on this site": (moved("/there"), 1, False),
    "it moves for ever": (moved("/robots.txt"), 10, False),
}


@pytest.mark.parametrize("name", ROBOTS)
def test_robots_are_asked_once_and_obeyed(name):
    said, times, allowed = ROBOTS[name]

    async def main():
        answers = {"/robots.txt": said, "/page": GOOD, "/there": rules("User-agent: *\nDisallow: /page")}
        async with Site(answers) as site, scraping(FAST, limit=3, timeout=0.3) as scraper:
            results = await scraper.scrape_multiple_urls([site.url + "/page"] * 9)
            assert [result["success"] for result in results] == [allowed] * 9
            assert allowed or all("robots.txt" in result["error"] for result in results)
            assert site.asked.count("/robots.txt") == times
            assert site.asked.count("/page") == (9 if allowed else 0)

    asyncio.run(main())


def test_slow_robots_of_one_site_hold_up_no_other():
    async def main():
        async with Site({"/robots.txt": SILENCE}) as slow, Site({"/": GOOD}) as quick, scraping() as scraper:
            waiting = asyncio.create_task(scraper.scrape_url(slow.url + "/"))
            await until(lambda: slow.asked)
            check(await scraper.scrape_url(url := quick.url + "/"), url, success=True)
            waiting.cancel()
            await asyncio.wait([waiting])

    asyncio.run(main())


def test_who_reads_the_robots_and_is_cancelled_leaves_it_to_the_next():
    async def main():
        async with Site({"/robots.txt": [SILENCE, NONE], "/": GOOD}) as site, scraping() as scraper:
            tasks = [asyncio.create_task(scraper.scrape_url(site.url + "/")) for _ in range(5)]
            await until(lambda: site.asked)
            tasks[0].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(results[0], asyncio.CancelledError)
            assert all(result["success"] for result in results[1:])
            assert site.asked == ["/robots.txt"] * 2 + ["/"] * 4

    asyncio.run(main())


# ---------------------------------------------------------------- many pages


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("way", ["scrape_multiple_urls", "gather"])
def test_at_most_limit_pages_at_once(way, limit):
    async def main():
        async with Site({"/": GOOD}, delay=0.02) as site, scraping(FAST, limit) as scraper:
            urls = [site.url + "/"] * 12
            if way == "gather":
                results = await asyncio.gather(*map(scraper.scrape_url, urls))
            else:
                results = await scraper.scrape_multiple_urls(urls)
            assert all(result["success"] for result in results)
            assert site.peak == limit

    asyncio.run(main())


def test_one_result_for_each_url_in_order():
    async def main():
        answers = {f"/{n}": answer(page(title=str(n)), "200 OK" if n % 3 else "404 No") for n in range(30)}
        async with Site(answers) as site, scraping() as scraper:
            urls = [site.url + f"/{n}" for n in range(30)] + [None, site.url + "/1", site.url + "/1"]
            results = await scraper.scrape_multiple_urls(iter(urls))
            assert [result["url"] for result in results] == urls
            assert [result.get("title") for result in results[:30]] == [str(n) if n % 3 else None for n in range(30)]
            assert site.asked.count("/1") == 3 and results[-1] == results[-2] and results[-1] is not results[-2]
            assert await scraper.scrape_multiple_urls([]) == []
            assert m.summary(results) == {"successful": 22, "failed": 11, "total_words": 66}

    asyncio.run(main())


def test_a_limit_below_one():
    async def main():
        async with Site({"/": GOOD}) as site, scraping(FAST, 0) as scraper:
            check(await scraper.scrape_url(url := site.url + "/"), url, success=True)
            with pytest.raises(ValueError, match="limit"):
                await scraper.scrape_multiple_urls([site.url])

    asyncio.run(main())


def test_cancelled_at_every_step():
    """Nothing is left, whenever it is cancelled: while it opens, asks robots, waits, reads, parses, closes."""

    async def main():
        answers = {"/": [moved("/two")], "/two": answer(page('<a href="/3">three</a>')), "/3": GOOD}
        async with Site(answers) as site:

            async def crawls():
                async with m.AsyncWebScraper(FAST) as made[0]:
                    return await made[0].crawl(site.url + "/")

            before = asyncio.all_tasks()
            for steps in itertools.count():
                made = [None]
                task = asyncio.create_task(crawls())
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                [outcome] = await asyncio.gather(task, return_exceptions=True)
                await until(lambda: asyncio.all_tasks() == before)
                assert made[0] is None or made[0].session.closed
                if not isinstance(outcome, asyncio.CancelledError):
                    return steps, len(outcome)
                assert steps < 5_000

    steps, pages = asyncio.run(main())
    assert steps > 20 and pages == 2


# ---------------------------------------------------------------- a crawl


def test_a_crawl_reads_each_page_of_its_host_once():
    def links(*targets):
        return answer(page("".join(f'<a href="{target}">x</a>' for target in targets)))

    async def main():
        async with Site({"/": GOOD}) as other:
            answers = {
                "/": links("/a", "/a#end", "./a", "", "#top", "/", "b", other.url, "mailto:x@y.z", "http://[::1", "//"),
                "/a": links("/", "/a", "/b", "/moved", "/gone", "ftp://127.0.0.1/f", "javascript:x()", "data:,x"),
                "/b": links("/c?x=1", "/c?x=2", "/picture"),
                "/c?x=1": GOOD,
                "/c?x=2": links("/c?x=1", "/private/"),
                "/moved": moved("/deep/"),
                "/deep/": links("d", "../a"),
                "/deep/d": GOOD,
                "/picture": answer(b"\x89PNG", Content_Type="image/png"),
                "/private/": GOOD,
                "/robots.txt": rules("User-agent: *\nDisallow: /private/"),
            }
            async with Site(answers) as site, scraping() as scraper:
                waves = []
                results = await scraper.crawl(site.url, shown=lambda urls: waves.append(len(urls)) or urls)
                assert len(results) == len({result["url"] for result in results}) == sum(waves)
                failed = {result["url"].removeprefix(site.url) for result in results if not result["success"]}
                assert failed == {"/gone", "/picture", "/private/"}
                read = [path for path in site.asked if path not in ("/robots.txt", "/deep/")]
                assert sorted(read) == sorted([*answers.keys() - {"/robots.txt", "/deep/", "/private/"}, "/gone"])
                assert not other.asked
                assert len(await scraper.crawl(site.url, most=3)) == 3

    asyncio.run(main())


def test_a_crawl_of_the_peps_is_exact(web):
    """On a bad day, too: 5 % of errors and slow pages, and every URL stands in one of two lists."""

    async def main():
        async with scraping(FAST) as scraper:
            pages = await scraper.crawl(web.site)
            assert m.summary(pages[1:]) == {"successful": 736, "failed": 0, "total_words": 1_926_584}
            urls = {page["url"] for page in pages}
            assert len(urls) == len(pages) == 737
            bad = {"X-Client": "bad", "X-Error-Rate": "0.05", "X-Seed": "2", "X-Latency": "exponential:0.01"}
            scraper.session.headers.update(bad)
            again = await scraper.scrape_multiple_urls(page["url"] for page in pages)
            seen = (await web.stats("bad", reset=True))["statuses"]
            assert [page["url"] for page in again] == [page["url"] for page in pages]
            assert [page["url"] for page in again if not page["success"]] == [web.site + "/pep-0564/"]
            assert seen["200"] == 736 and seen["500"] > 3

    asyncio.run(main())


def test_the_example(web):
    urls = [web.site + "/pep-0492/", web.site + "/pep-9999/", web.url("/drop"), "nonsense"]
    summary = asyncio.run(m.web_scraping_example(urls, 100))
    assert {name: summary[name] for name in ("successful", "failed")} == {"successful": 1, "failed": 3}
    assert summary["total_words"] > 1000


def test_a_second_visit_reads_only_what_has_changed(web):
    """`ReturningScraper` of the deeper notebook: the same results, and not a byte of what is kept."""
    urls = [f"{web.site}/pep-{number:04}/" for number in (8, 20, 492)]

    async def visit(kept):
        async with deeper.ReturningScraper(kept, FAST) as scraper:
            return await scraper.scrape_multiple_urls([*urls, f"{web.site}/pep-9999/"]), scraper.bytes_read

    async def main():
        kept = {}
        results, size = await visit(kept)
        assert [result["success"] for result in results] == [True, True, True, False]
        assert size > 10_000
        error = results[-1].pop("error")
        again, size_again = await visit(kept)
        assert again[-1].pop("error") == error
        assert again == results
        missing = size_again  # what is not there has no ETag
        del kept[next(url for url in kept if url.path == "/pep-0020/")]
        assert (await visit(kept))[1] > missing

    asyncio.run(main())
