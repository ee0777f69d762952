"""The check of exercise 5.3: small and large sites, with circles, chains and hubs, in which pages fail or do not."""

import asyncio

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    NotYet,
    count,
    expect,
    expect_all_awaited,
    expect_at_once,
    expect_cancelled,
    expect_no_error_lost,
    expect_nothing_left,
    often,
    said,
)
from asynclab.checking.work import uses

ERROR_MESSAGES = ASYNC_WITH_ERRORS | {
    "TypeError: .*'coroutine' (?:object is not iterable|and 'list')|TypeError: 'coroutine' object is not iterable": (
        "`links_of(page)` gives a coroutine, because reading takes a while. Write `await` before it."
    ),
    "RuntimeError: (?:Set changed size|dictionary changed size|deque mutated)": (
        "A collection must not change while you go through it, and while you await, other tasks change it. Go through "
        "a copy."
    ),
    "TypeError: unhashable type: 'list'": "`links_of(page)` gives a list. Go through it, and add each page of it.",
    "ValueError: Set of Tasks/Futures is empty": "`asyncio.wait` wants a task. Wait only while there are any.",
    "QueueEmpty|IndexError: pop from": (
        "You took a page where there was none. Pages come while others are read: wait for one to come."
    ),
}
SOON, LEVEL = 0.0003, 0.0001  # seconds: more than some turns of the loop; what a visit takes to end after its visits


class Page(str):
    """The path of a page. In sets its order is the same in every run, as that of other texts is not."""

    def __hash__(self):
        return int(self[1:] or 0)


START = Page("/")


def draw_site(world):
    """Return the links of each page of a site."""
    number = world.size(6, 1, 2, 5, 15, 40, 120)
    pages = [START, *(Page(f"/{i}") for i in range(1, number))]
    if world.number < 6:
        links = [1, 2, 3], [0, 4], [2, 4, 4], [5], [1], []
        return {page: [pages[i] for i in each] for page, each in zip(pages, links, strict=True)}
    shape = world.pick("any", "a chain", "a hub")
    world.facts += [] if shape == "any" else [shape]
    often_linked = {page: pages[: i + 2] if shape == "a chain" else pages for i, page in enumerate(pages)}
    site = {page: world.rng.choices(often_linked[page], k=world.pick(0, 1, 2, 2, 5, 12)) for page in pages}
    if shape == "a hub":
        site[START] = list(pages)
    elif shape == "a chain":
        site = {page: [*links, *often_linked[page][-1:]] for page, links in site.items()}
    return site


async def check(crawl, world):
    """Every page once, the places all taken while pages wait, the end without delay; some pages fail."""
    site, limit = draw_site(world), world.rng.randint(2, 3) if world.number < 6 else world.rng.randint(1, 6)
    share = world.pick(0, 0.1, 0.4) if world.fails else 0
    bad = [page for page in site if world.rng.random() < share]
    bad = {2: [Page("/3")], 5: [START]}.get(world.number, []) if world.number < 6 else bad
    kinds = ConnectionError, TimeoutError, ValueError, OSError, KeyError
    places = uses(asyncio.Semaphore)
    read = world.work(
        "links_of",
        site,
        results={page: list(links) for page, links in site.items()},
        failing={page: world.pick(*kinds)(f"{page} cannot be read") for page in bad},
    )
    reached = reachable(START, site, bad)
    world.facts += [count(len(reached), "page"), f"a limit of {limit}"]
    world.facts += [f"{count(len(reached & set(bad)), 'page')} failing"] if reached & set(bad) else []

    run = await world.watch(START, read.function, limit, may_raise=kinds)
    expect_cancelled(run, read)
    expect_no_page_twice(read, site)
    expect_at_once(read.most, limit, places, "pages", possible=0)
    if not run.cancelled:
        judge(run, world, read, reached, limit, site)
    expect_nothing_left(run)
    expect_no_error_lost(run)


def reachable(start, site, bad):
    """Return the pages that can be reached from `start`, the bad ones among them."""
    known, to_read = {start}, [start]
    for page in to_read:
        new = set(site[page]) - known if page not in bad else set()
        known |= new
        to_read += sorted(new)
    return known


def expect_no_page_twice(read, site):
    """Expect that no page was read again."""
    begun = [call.item for call in read.calls]
    for page in begun:
        if begun.count(page) > 1:
            again = f"{read.call(page)} was called {often(begun.count(page))}"
            if page in read.failing:
                raise NotYet(f"{again}. It raises an error: count the page as failed, and try it no more.")
            raise NotYet(f"{again}. Note a page as known when you find a link to it, and not only when it is read.")
        expect(page in site, f"{read.call(page)} was called, and {said(page)} is no page. Read the links in the list.")


def judge(run, world, read, reached, limit, site):
    """Expect that every page was read as soon as it could be, that the values are right, and the end came at once."""
    calls = {call.item: call for call in read.calls}
    if run.error:
        raise NotYet(spoiled(run.error, world, read))
    expect_all_awaited(run)
    expect(calls, "`links_of` was never called. Begin with `await links_of(start)`.")
    expect_nothing_left(run)
    expect_in_use(calls, limit, site)
    for page in sorted(reached):
        via = [other for other in sorted(reached - set(read.failing)) if page in site[other] and other != page]
        why = f"`{via[0]}` links to it" if via else "the crawl starts with it"
        expect(page in calls, f"{read.call(page)} was never called, and {why}. Read every page that can be reached.")
        stopped = f"{read.call(page)} was stopped before it gave its links. Let it come to its end."
        expect(calls[page].outcome != "cancelled", stopped)
    expect_two_collections(run.value, read, reached)
    last, known = max(call.end for call in read.calls) - read.calls[0].start, found_by(calls, site)
    levels = max(how_deep(page, known) for page in calls)  # visits that wait for visits, and end one after another
    expect(
        run.duration < last + SOON + levels * LEVEL,
        f"The last page was read after {1000 * last:.1f} ms, and `crawl` returned after {1000 * run.duration:.1f} ms. "
        "Let the end of the last visit end the wait: a `TaskGroup` does, and so does `queue.join()`.",
    )


def found_by(calls, site):
    """Return the page that first led to each known one, "" for the start."""
    known = {START: ""}
    for call in sorted(calls.values(), key=lambda call: call.end):
        for page in site[call.item] if call.outcome == "done" else []:
            known.setdefault(page, call.item)
    return known


def how_deep(page, known):
    """Return how many pages led to this one."""
    deep = 0
    while page := known[page]:
        deep += 1
    return deep


def spoiled(error, world, read):
    """Return what to say of an error that got out."""
    leaf = error
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    for page, each in read.failing.items():
        if each is leaf:
            return (
                f"{read.call(page)} raised {type(leaf).__name__}, which ended everything. Catch it where that one page "
                "is read, note the page as failed, and go on."
            )
    return world.explain(error)


def expect_in_use(calls, limit, site):
    """Expect that no page waited while there was a place for it."""
    since = {page: calls[by].end if by else 0 for page, by in found_by(calls, site).items()}
    starts = sorted(call.start for call in calls.values())
    for moment in sorted({*starts, *[call.end for call in calls.values()]}):
        under_way = sum(call.start <= moment < call.end for call in calls.values())
        following = next((start for start in starts if start > moment), None)
        if under_way >= limit or following is None or following < moment + SOON:
            continue
        for page in [page for page in since if page in calls and since[page] <= moment < calls[page].start]:
            waited = f"waited for {1000 * (calls[page].start - moment):.0f} ms"
            places = f"{under_way} of {count(limit, 'place')} {'was' if under_way == 1 else 'were'} in use"
            soon = "Begin to read a page as soon as you know it and there is a place"
            raise NotYet(f"`{page}` was known, and {waited}, while {places}. {soon}.")


def expect_two_collections(value, read, reached):
    """Expect the pages read, and those that failed, each once."""
    good, bad = reached - set(read.failing), reached & set(read.failing)
    kinds = list | tuple | set | frozenset | dict
    if not (isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(each, kinds) for each in value)):
        raise NotYet(f"Your function returned {said(value)}. Return two collections: `return read, failed`.")
    did = dict.fromkeys(good, "was read") | dict.fromkeys(bad, "failed")
    for got, wanted, which in ((value[0], good, "first"), (value[1], bad, "second")):
        for page in sorted(wanted - set(got)):
            raise NotYet(f"`{page}` {did[page]}, and is missing in the {which} collection, {said(got)}. Put it there.")
        for page in [page for page in got if page not in wanted]:
            what = did.get(page, "was never read")
            raise NotYet(f"{said(page)} {what}, and stands in the {which} collection. Leave it out there.")
        expect(len(got) == len(wanted), f"A page stands twice in the {which} collection. Once is enough.")
