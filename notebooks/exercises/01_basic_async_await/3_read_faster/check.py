"""The check of exercise 1.3: none, one or many pages, in no order, some twice, some empty."""

from asynclab.checking.expect import (
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_done_in,
    expect_each_once,
    expect_free_loop,
    expect_nothing_left,
    expect_results,
    expect_side_by_side,
)
from asynclab.checking.work import Work

ERROR_MESSAGES = {
    "TypeError: .*(?:awaitable is required|unhashable type: 'list')": (
        "`gather` wants each coroutine as an argument of its own. Put a `*` before the list."
    ),
    "InvalidStateError": "you asked a task for its result before it was done. Await the task first.",
    "ValueError: Set of (?:Tasks/Futures|coroutines/Futures) is empty": (
        "there may be no page at all, and `asyncio.wait` wants one task at least. `asyncio.gather` and a `TaskGroup` "
        "do with none."
    ),
}


async def check(read_all, world):
    """All pages at once, each text in the place of its page."""
    pages = [f"page-{number}" for number in world.rng.sample(range(1, 1000), world.size(3, 0, 1, 2, 5, 12, 40, 100))]
    texts = {page: f"text {world.rng.randrange(10_000)}" for page in pages}
    world.facts.append(count(len(pages), "page"))
    if pages and world.number % 4 == 3:
        texts[world.pick(*pages)] = ""
        world.facts.append("an empty one")
    if pages and world.number % 5 == 4:
        pages.insert(world.rng.randrange(len(pages)), world.pick(*pages))
        world.facts.append("one page that stands there twice")
    read, given = Work("read", {page: world.delay(0.02) for page in texts}, results=texts), list(pages)
    run = await world.watch(read.function, given)
    expect_cancelled(run, read)
    if run.cancelled:
        return
    expect_all_awaited(run)
    expect_nothing_left(run)
    expect_each_once(read, pages)
    if pages:
        expect_side_by_side(read, len(texts))
    expect_results(run, [texts[page] for page in pages])
    expect(given == pages, "Your function changes `pages`, the list that it was given. Leave it as it is.")
    expect_free_loop(run)
    expect_done_in(run, max(read.seconds.values(), default=0))
