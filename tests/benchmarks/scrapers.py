"""Scrapers: the `AsyncWebScraper` that chapter 5 teaches beside other ways to read titles and words of the same pages.

    python tests/benchmarks/scrapers.py [--effort quick]

The pages are those of the loopback site, all real in size. Every way has at most 20 requests under way and the same
parsing, which is ours; "reads alone" does not parse. Ours has its limiter, at a rate that it never reaches. Scrapy runs
in a process of its own, for the sake of its reactor, and its time is that from its first request to its last page.
"Processor" is what a page takes of the client's processor, "pages/s" and "to raw" are by the clock on the wall: "to
raw" compares with aiohttp in the same turn. Each way must have read the same number of words, or there is no table.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import math
import re
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import bench
from bench import Column, Row, Section, count, peer, share
from selectolax.lexbor import LexborHTMLParser

from asynclab import Services
from asynclab.page.numbers import duration, ratio
from asynclab.taught import taught

chapter = taught(5)
LIMIT, RATE, WAIT = 20, 1_000_000, 0.05
Way = Callable[[Sequence[str]], Awaitable[int]]  # returns how many words were read


def words(text: str) -> int:
    """Read the title and the words of a page as ours does; return how many words there are."""
    return chapter.title_and_words(LexborHTMLParser(text))["word_count"]


async def as_taught(urls: Sequence[str]) -> int:
    async with chapter.AsyncWebScraper(RATE, LIMIT) as scraper:
        results = await scraper.scrape_multiple_urls(urls)
    return sum(result.get("word_count", 0) for result in results)


async def with_aiohttp(urls: Sequence[str], parse: Callable[[str], int] = words) -> int:
    places = asyncio.Semaphore(LIMIT)

    async def one(url: str) -> int:
        async with places, session.get(url) as response:
            return parse(await response.text())

    async with aiohttp.ClientSession() as session:
        return sum(await asyncio.gather(*map(one, urls)))


async def reads_alone(urls: Sequence[str]) -> int:
    await with_aiohttp(urls, len)
    return 0


async def with_httpx2(urls: Sequence[str]) -> int:
    httpx2, places = peer("httpx2"), asyncio.Semaphore(LIMIT)

    async def one(url: str) -> int:
        async with places:
            return words((await client.get(url)).text)

    options = {"timeout": 60, "trust_env": False, "verify": False}  # no certificates to read: the site has none
    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=LIMIT), **options) as client:
        return sum(await asyncio.gather(*map(one, urls)))


async def with_requests(urls: Sequence[str]) -> int:
    mine = threading.local()

    def begin() -> None:
        mine.session = peer("requests").Session()
        mine.session.trust_env = False

    def one(url: str) -> int:
        with mine.session.get(url) as response:
            return words(response.text)

    with ThreadPoolExecutor(LIMIT, initializer=begin) as pool:
        return sum(await asyncio.to_thread(list, pool.map(one, urls)))


def crawl(urls: Sequence[str]) -> dict[str, float]:
    """Scrape with Scrapy, in this process, which can do so once; return what was measured."""
    scrapy, crawler = peer("scrapy"), peer("scrapy.crawler")
    seen, began = [], []

    class Spider(scrapy.Spider):
        name = "pages"

        async def start(self):
            began.extend((time.perf_counter(), time.process_time()))
            for url in urls:
                yield scrapy.Request(url, dont_filter=True)

        def parse(self, response):
            seen.append(words(response.text))
            if len(seen) == len(urls):
                began.extend((time.perf_counter(), time.process_time()))

    settings = {
        "CONCURRENT_REQUESTS": LIMIT,
        "CONCURRENT_REQUESTS_PER_DOMAIN": LIMIT,
        "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
    }
    process = crawler.CrawlerProcess(settings)
    process.crawl(Spider)
    process.start()
    wall, cpu, wall_end, cpu_end = began
    return {"words": sum(seen), "seconds": wall_end - wall, "processor": cpu_end - cpu}


OURS, RAW, READS, SCRAPY = "AsyncWebScraper", "aiohttp, same parsing", "aiohttp, reads alone", "Scrapy"
WAYS: dict[str, tuple[str, Way | None]] = {  # by name: the module that it needs, and the function
    OURS: ("asyncio", as_taught),
    RAW: ("asyncio", with_aiohttp),
    "httpx2": ("httpx2", with_httpx2),
    "requests in threads": ("requests", with_requests),
    SCRAPY: ("scrapy", None),
    READS: ("asyncio", reads_alone),
}


async def measured(way: Way, urls: Sequence[str]) -> dict[str, float]:
    """Return words, seconds and seconds of the processor."""
    began, cpu = time.perf_counter(), time.process_time()
    number = await way(urls)
    return {"words": number, "seconds": time.perf_counter() - began, "processor": time.process_time() - cpu}


def in_a_process(urls: Sequence[str]) -> dict[str, float]:
    """Do `crawl` in a new process."""
    command = [sys.executable, "-W", "ignore", __file__, "--crawl"]
    done = subprocess.run(command, input=json.dumps(urls), capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


async def scraped(ways: dict[str, Way | None], pages: int, turns: int, wait: float) -> dict[str, dict[int, dict]]:
    """Return what each way took, by name and turn, of which ours and the raw one have ten times as many."""
    took: dict[str, dict[int, dict]] = {name: {} for name in ways}
    async with Services() as web:
        async with aiohttp.ClientSession() as session, session.get(f"{web.site}/sitemap.xml") as response:
            urls = re.findall("<loc>(.*/pep-.*)</loc>", await response.text())[:pages]
        await reads_alone(urls)  # the site makes its pages when they are first asked for
        urls = [f"{url}?delay={wait}" if wait else url for url in urls]
        for turn, (name, way) in itertools.product(range(10 * turns), ways.items()):
            if turn % 10 == 0 or name in (OURS, RAW):
                gc.collect()
                took[name][turn] = await measured(way, urls) if way else in_a_process(urls)
    read = {name: {each["words"] for each in turns_of.values()} for name, turns_of in took.items() if name != READS}
    if any(number != read[OURS] for number in read.values()) or len(read[OURS]) != 1:
        raise AssertionError(f"not every way has read the same words: {read}")
    return took


COLUMNS = [
    Column("pages/s", count, max, log=True),
    Column("to raw", share, max, ("≥", 0.95)),
    Column("processor", duration, min, log=True),
    Column("50 ms each", duration, min, log=True),
    Column("over ideal", ratio, min, ("≤", 1.15), log=True),
]
SIZES = {  # pages that are answered at once, turns, pages that are answered after 50 ms
    "long": (736, 7, 736),
    "usual": (736, 3, 400),
    "quick": (300, 1, 100),
    "tiny": (5, 1, 5),
}


def measure(effort: str = "usual") -> Section:
    """Measure all ways, by turns."""
    pages, turns, waiting = SIZES[effort]
    ways = {name: way for name, (module, way) in WAYS.items() if peer(module)}
    work = bench.run(scraped(ways, pages, turns, 0))
    waits = bench.run(scraped(ways, waiting, 1, WAIT))
    ideal = math.ceil(waiting / LIMIT) * WAIT
    rows: dict[str, Row] = {}
    for name, by_turn in work.items():
        took, waited = by_turn.values(), bench.median(each["seconds"] for each in waits[name].values())
        rows[name] = {
            "pages/s": pages / bench.median(each["seconds"] for each in took),
            "to raw": bench.median(work[RAW][turn]["seconds"] / own["seconds"] for turn, own in by_turn.items()),
            "processor": bench.median(each["processor"] for each in took) / pages,
            "50 ms each": waited,
            "over ideal": waited / ideal,
        }
    read = work[OURS][0]["words"]
    title = (
        f"Scrapers: {pages:,} pages of the site, {LIMIT} at a time, each way with the same parsing; "
        f"{waiting:,} pages that are answered after 50 ms"
    )
    notes = [f"Each way has read {read:,} words."]
    absent = bench.absent(module for module, _ in WAYS.values())
    return Section(title, COLUMNS, [OURS], rows, beside=[READS], absent=absent, notes=notes)


if __name__ == "__main__":
    if sys.argv[1:] == ["--crawl"]:
        print(json.dumps(crawl(json.load(sys.stdin))))
    else:
        bench.alone(measure)
