"""The check of exercise 5.3: small and large sites, with circles, chains and hubs, in which pages fail or do not."""

import asyncio

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    WAIT_ERRORS,
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_at_once,
    expect_cancelled,
    expect_caught,
    expect_no_error_lost,
    expect_nothing_left,
    often,
    said,
)
from asynclab.checking.work import uses

ERROR_MESSAGES = (
    {
        "TypeError: .*'coroutine' (?:object is not iterable|and 'list')": (
            "`links_of(page)` gives a coroutine, because reading takes a while. Write `await` before it."
        ),
        "RuntimeError: (?:Set changed size|dictionary changed size|deque mutated)": (
            "A collection must not change while you go through it, and while you await, other tasks change it. Go "
            "through a copy."
        ),
        "TypeError: unhashable type: 'list'": "`links_of(page)` gives a list. Go through it, and add each page of it.",
        "QueueEmpty|IndexError: pop from": (
            "You took a page where there was none. Pages come while others are read: wait for one to come."
        ),
    }
    | ASYNC_WITH_ERRORS
    | WAIT_ERRORS
)
SOON, VISIT = 0.0003, 0.0001  # seconds: more than some turns of the loop; what a visit takes to end after its visits
KINDS = ConnectionError, TimeoutError, ValueError, OSError, KeyError


class Page(str):
    """The path of a page. In sets its order is the same in every run, as that of other texts is not."""

    def __hash__(self):
        return int(self[1:] or 0)


START = Page("/")


def draw_site(world):
    """Return the links of each page of a site."""
    number, shape = world.size(6, 1, 2, 5, 15, 40, 120), world.pick("any", "a chain", "a hub")
    pages = [START, *(Page(f"/{i}") for i in range(1, number))]
    if world.number < 6:
        links = [1, 2, 3], [0, 4], [2, 4, 4], [5], [1], []
        return {page: [pages[i] for i in each] for page, each in zip(pages, links, strict=True)}
    world.facts.append(shape)
    site = {}
    for i, page in enumerate(pages, 2):
        near = pages[:i] if shape == "a chain" else pages
        site[page] = [*world.rng.choices(near, k=world.pick(0, 1, 2, 2, 5, 12)), *(near[-1:] if near != pages else [])]
    if shape == "a hub":
        site[START] = list(pages)
    return site


async def check(crawl, world):
    """Every page once, the places all taken while pages wait, the end without delay; some pages fail."""
    site, limit, places = draw_site(world), world.rng.randint(1, 6), uses(asyncio.Semaphore)
    share = world.pick(0, 0.1, 0.4) if world.fails else 0
    bad = [page for page in site if world.rng.random() < share]
    if world.number < 6:
        limit, bad = world.rng.randint(2, 3), {2: [Page("/3")], 5: [START]}.get(world.number, [])
    read = world.work(
        "links_of",
        site,
        results={page: list(links) for page, links in site.items()},
        failing={page: world.pick(*KINDS)(f"{page} cannot be read") for page in bad},
    )
    reached = [START]
    for page in reached:
        reached += sorted(set(site[page]) - set(reached)) if page not in bad else []
    failed = [page for page in reached if page in bad]
    world.facts += [count(len(reached), "page"), f"a limit of {limit}"]
    world.facts += [f"{count(len(failed), 'page')} failing"] if failed else []

    run = await world.watch(START, read.function, limit, may_raise=KINDS)
    expect_cancelled(run, read)
    expect_no_page_twice(read, site)
    expect_at_once(read.most, limit, places, "pages", possible=0)
    if not run.cancelled:
        expect_caught(run, read, "Catch it where that one page is read, note the page as failed, and go on.")
        if run.error:
            raise NotYet(world.explain(run.error))
        expect_all_awaited(run)
        expect_nothing_left(run)
        expect_read_soon(read, reached, limit, site)
        expect_two_collections(run.value, [page for page in reached if page not in bad], failed)
        late = 1000 * (read.calls[0].start + run.duration - max(call.end for call in read.calls))
        expect(
            late < 1000 * (SOON + VISIT * len(reached)),  # visits may wait for their visits, and end one by one
            f"`crawl` returned {late:.1f} ms after the last page was read. Let the end of the last visit end the wait: "
            "a `TaskGroup` does, and so does `queue.join()`.",
        )
    expect_nothing_left(run)
    expect_no_error_lost(run)


def expect_no_page_twice(read, site):
    """Expect that no page was read again."""
    begun = [call.item for call in read.calls]
    for page in begun:
        advice = "Note a page as known when you find a link to it, and not only when it is read."
        if page in read.failing:
            advice = "It raises an error: count the page as failed, and try it no more."
        expect(begun.count(page) == 1, f"{read.call(page)} was called {often(begun.count(page))}. {advice}")
        expect(page in site, f"{read.call(page)} was called, and {said(page)} is no page. Read the links in the list.")


def expect_read_soon(read, reached, limit, site):
    """Expect that each page was read, to its end, and did not wait while there was a place for it."""
    expect(read.calls, "`links_of` was never called. Begin with `await links_of(start)`.")
    calls, since, why = {call.item: call for call in read.calls}, {START: 0}, {START: "the crawl starts with it"}
    for call in sorted(read.calls, key=lambda call: call.end):
        for page in site[call.item] if call.outcome == "done" else []:
            since.setdefault(page, call.end)
            why.setdefault(page, f"`{call.item}` links to it")
    for moment in sorted(call.end for call in read.calls):
        in_use = sum(call.start < moment + SOON and call.end > moment for call in read.calls)
        for page in [page for page, call in calls.items() if since[page] <= moment < call.start - SOON]:
            waited = f"waited for {1000 * (calls[page].start - moment):.0f} ms"
            places = f"{in_use} of {count(limit, 'place')} {'was' if in_use == 1 else 'were'} in use"
            soon = "Begin to read a page as soon as you know it and there is a place"
            expect(in_use >= limit, f"`{page}` was known, and {waited}, while {places}. {soon}.")
    for page in reached:
        expect(
            page in calls,
            f"{read.call(page)} was never called, and {why.get(page)}. Read every page that can be reached.",
        )
        stopped = f"{read.call(page)} was stopped before it gave its links. Let it come to its end."
        expect(calls[page].outcome != "cancelled", stopped)


def expect_two_collections(value, good, bad):
    """Expect the pages read, and those that failed, each once."""
    kinds = list | tuple | set | frozenset | dict
    if not (isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(each, kinds) for each in value)):
        raise NotYet(f"Your function returned {said(value)}. Return two collections: `return read, failed`.")
    did = dict.fromkeys(good, "was read") | dict.fromkeys(bad, "failed")
    for got, wanted, which in ((value[0], good, "first"), (value[1], bad, "second")):
        for page in wanted:
            missing = f"`{page}` {did[page]}, and is missing in the {which} collection, {said(got)}. Put it there."
            expect(page in got, missing)
        for page in got:
            what = f"{said(page)} {did.get(page, 'was never read')}, and stands in the {which} collection"
            expect(page in wanted, f"{what}. Leave it out there.")
        expect(len(got) == len(wanted), f"A page stands twice in the {which} collection. Once is enough.")
