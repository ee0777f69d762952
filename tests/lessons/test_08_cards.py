"""The cards of chapter 8: all of one shape, and each trap is real.

The traps run in virtual time, with what the cards themselves define; a server and a thread need the real one.
"""

import ast
import asyncio
import copy
import gc
import inspect
import itertools
import json
import re
import threading
from types import SimpleNamespace

import aiohttp
import pytest
import stamina

from asynclab import Services
from asynclab.taught import NOTEBOOKS, taught
from virtual_time import virtual

CELLS = json.loads((NOTEBOOKS / "08_patterns_summary.ipynb").read_text(encoding="utf-8"))["cells"]
PARTS = ["When", "Trap", "Taught"]
LINES, WORDS = 8, 60  # of a card's pattern; of its three paragraphs
# What the guide's summary has, and a piece of its example.
GUIDE = {
    "gather": "await asyncio.gather(*",
    "create_task": "asyncio.create_task(",
    "async with": "async with session.get(url) as resp:",
    "Queue": "queue = asyncio.Queue(maxsize=",
    "Semaphore": "async with places:",
    "wait_for": "await asyncio.wait_for(",
}


def source(cell):
    return "".join(cell["source"])


def cards(cells):
    """Yield for each card its title (None if there is none), its code cell, and the cell above it."""
    for above, cell in itertools.pairwise(cells):
        if cell["cell_type"] == "code" and "card" in cell["metadata"].get("tags", []):
            titles = re.findall(r"^### (.+)$", source(above), re.M)
            yield titles[0] if len(titles) == 1 else None, cell, above


def complaints(cells):
    """Return what is wrong with the shape of the cards in a notebook, each beginning with the id of its cell."""
    found = []
    for title, cell, above in cards(cells):
        paragraphs = re.findall(r"^\*\*(\w+)\*\* (.+)$", source(above), re.M)
        words = sum(len(re.sub(r"\]\([^)]*\)", "]", text).replace("·", "").split()) + 1 for _, text in paragraphs)
        code = [line for line in source(cell).splitlines() if line.strip()]
        trace = f'with trace("{title}") as card:'
        wrong = {
            "its text is the cell above, and called the same": above["id"] != cell["id"] + "-card",
            "one heading of level 3": title is None,
            "the paragraphs When, Trap, Taught": [name for name, _ in paragraphs] != PARTS,
            "a link to where it is taught": not re.search(
                r"^\*\*Taught\*\* \[[^\]]+\]\(\S+#\S+\)", source(above), re.M
            ),
            f"at most {WORDS} words": words > WORDS,
            "a trace that is called like the card": title is not None and code.count(trace) != 1,
            "`card` at the end": code[-1] != "card",
            f"at most {LINES} lines": len(code) - 2 > LINES,
        }
        found += [f"{cell['id']}: {what}" for what, is_wrong in wrong.items() if is_wrong]
    return found


def test_all_cards_have_one_shape():
    assert complaints(CELLS) == []
    titles = [title for title, _, _ in cards(CELLS)]
    assert len(titles) == len(set(titles)) == 18


@pytest.mark.parametrize("title", GUIDE)
def test_the_guides_patterns_are_there_in_its_own_words(title):
    assert GUIDE[title] in {title: source(cell) for title, cell, _ in cards(CELLS)}[title]


BROKEN = [  # of the first card: the cell above it (0) or itself (1), what is replaced, by what, the complaint
    (0, r"### gather", "### All at once", "a trace that is called like the card"),
    (0, r"### gather", "gather", "one heading of level 3"),
    (0, r"\*\*Trap\*\* .+", "", "the paragraphs When, Trap, Taught"),
    (0, r"\*\*When\*\*", "**Trap**", "the paragraphs When, Trap, Taught"),
    (0, r"(?<=\*\*Taught\*\* ).+", "chapter 1", "a link to where it is taught"),
    (0, r"(?<=\*\*Trap\*\* )", "so " * 60, "at most 60 words"),
    (1, r"\ncard$", "\ncard.tasks", "`card` at the end"),
    (1, r"\ncard$", "\n" + "people\n" * 7 + "card", "at most 8 lines"),
]


@pytest.mark.parametrize(("which", "old", "new", "complaint"), BROKEN)
def test_a_broken_card_is_complained_about(which, old, new, complaint):
    _, cell, above = next(cards(CELLS))
    broken = copy.deepcopy([above, cell])
    broken[which]["source"], count = re.subn(old, new, source(broken[which]))
    assert count == 1
    assert complaints(broken) == [f"gather: {complaint}"]
    assert complaints([{**above, "id": "other"}, cell]) == ["gather: its text is the cell above, and called the same"]


# --- the traps --------------------------------------------------------------------------------------------------------

TRAPS = {}


def trap(title):
    """Register a test, by its card: an asynchronous one is played in virtual time."""

    def register(test):
        TRAPS[title] = virtual(test) if inspect.iscoroutinefunction(test) else test
        return test

    return register


def defined(title, **names):
    """Return the functions that a card defines. They find `names`, and a `fetch` that takes its time."""
    [tree] = [ast.parse(source(cell)) for each, cell, _ in cards(CELLS) if each == title]
    tree.body = [line for line in tree.body if isinstance(line, ast.AsyncFunctionDef)]
    space = {"asyncio": asyncio, "fetch": fetch, **names}
    exec(compile(tree, f"card {title}", "exec"), space)
    return SimpleNamespace(**{line.name: space[line.name] for line in tree.body})


async def fetch(number, delay=0.1):
    await asyncio.sleep(delay)
    if number < 101:
        raise ValueError("404")
    return {"user_id": number}


class Count:
    """How many are in `fetch` at once, at most."""

    def __init__(self, slower=1.0):
        self.slower, self.inside, self.most = slower, 0, 0

    async def fetch(self, number, delay=0.1):
        self.inside += 1
        self.most = max(self.most, self.inside)
        await fetch(number, 0.1 * self.slower)
        self.inside -= 1


def test_each_card_has_its_trap_tried():
    assert sorted(TRAPS) == sorted(title for title, _, _ in cards(CELLS))


@pytest.mark.parametrize("title", TRAPS)
def test_the_trap_is_real(title):
    TRAPS[title]()


@trap("gather")
async def the_others_run_on_and_their_errors_are_dropped():
    calls = [asyncio.ensure_future(call) for call in (fetch(0, 1), fetch(101, 2), fetch(0, 3))]
    with pytest.raises(ValueError, match="404"):
        await asyncio.gather(*calls)
    assert [call.done() for call in calls] == [True, False, False]
    await asyncio.wait(calls)
    assert calls[1].result() == {"user_id": 101}
    del calls
    gc.collect()  # play() raises Unheard if an error was never retrieved


@trap("create_task")
async def a_task_that_nothing_holds_is_collected():
    loop = asyncio.get_running_loop()

    async def waits():
        await loop.create_future()

    asyncio.create_task(waits())  # noqa: RUF006
    failed = asyncio.create_task(fetch(0))
    await asyncio.sleep(1)
    gc.collect()
    assert [told["message"] for told in loop.unheard] == ["Task was destroyed but it is pending!"]
    assert failed.done()  # and nothing has been heard of its error
    del failed
    gc.collect()
    assert [told["message"] for told in loop.unheard][1:] == ["Task exception was never retrieved"]
    loop.unheard.clear()
    gc.collect()  # the report had held the task


@trap("Task group")
async def its_error_is_a_group():
    async def in_group():
        async with asyncio.TaskGroup() as group:
            group.create_task(fetch(0))

    with pytest.raises(ExceptionGroup):
        try:
            await in_group()
        except ValueError:
            pytest.fail("a plain except has caught it")
    try:
        await in_group()
    except* ValueError as failed:
        assert len(failed.exceptions) == 1


@trap("wait_for")
async def the_calls_own_timeout_looks_the_same():
    async def gives_up(after):
        await asyncio.sleep(after)
        raise TimeoutError

    seen = []
    for after in (1, 9):  # the call's clock, wait_for's
        with pytest.raises(TimeoutError) as caught:
            await asyncio.wait_for(gives_up(after), timeout=5)
        seen.append((type(caught.value), caught.value.args))
    assert seen[0] == seen[1]


@trap("Deadline")
async def blocking_code_and_other_tasks_go_on():
    went_on = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            beside = asyncio.create_task(fetch(101, 5))
            asyncio.get_running_loop().clock.stall(3)  # blocks
            went_on.append("blocking code")
            await asyncio.sleep(0.1)
            went_on.append("an await")
    assert went_on == ["blocking code"]
    assert await beside == {"user_id": 101}


@trap("Semaphore")
async def tasks_created_before_run_already():
    async def await_it(call):
        await call

    for make, most in ((asyncio.create_task, 5), (lambda call: call, 2)):
        count = Count()
        card = defined("Semaphore", places=asyncio.Semaphore(2), fetch=await_it)
        await asyncio.gather(*[card.inside(make(count.fetch(101))) for _ in range(5)])
        assert count.most == most


@trap("Worker pool")
async def an_error_ends_all_workers():
    for numbers, done in (([101, 0, 102, 103, 104], {0: 101}), ([101, 102, 103], {0: 101, 1: 102, 2: 103})):
        people = {}
        worker = defined("Worker pool", jobs=enumerate(numbers), people=people).worker
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(worker())
                group.create_task(worker())
        except* ValueError:
            assert 0 in numbers
        assert {place: person["user_id"] for place, person in people.items()} == done


@trap("Limiter")
async def slow_answers_pile_up():
    chapter = taught(3)
    chapter.time = asyncio.get_running_loop().clock.module()
    for slower, most in ((0.5, 1), (25, 20)):
        count = Count(slower)
        card = defined("Limiter", limiter=chapter.AsyncRateLimiter(rate=1, per=0.1), fetch=count.fetch)
        await asyncio.gather(*[card.polite(101) for _ in range(20)])
        assert count.most == most


@trap("Queue")
async def silence_is_no_end_and_one_sentinel_ends_one_consumer():
    async def guided(queue):  # the guide's consumer, without what it prints
        while True:
            try:
                await asyncio.wait_for(queue.get(), timeout=2.0)
                queue.task_done()
            except TimeoutError:
                break

    queue = asyncio.Queue()
    await asyncio.gather(taught(3).producer("slow", queue, range(3), pause=3), guided(queue), guided(queue))
    assert queue.qsize() == 3

    consumer, queue = defined("Queue").consumer, asyncio.Queue()
    consumers = [asyncio.create_task(consumer(queue)) for _ in range(2)]
    for sentinels in (1, 2):
        queue.put_nowait(None)
        await asyncio.sleep(100)
        assert sum(each.done() for each in consumers) == sentinels


@trap("Pipeline")
async def the_stage_before_one_that_failed_waits_forever():
    stage = defined("Pipeline").stage
    source, between = asyncio.Queue(), asyncio.Queue(1)
    for number in (101, 102, 103, 104, None):
        source.put_nowait(number)
    first = asyncio.create_task(stage(0.1, source, between))
    await between.get()
    between.put_nowait(-1)  # an item that fails
    with pytest.raises(ValueError, match="404"):
        await asyncio.gather(first, stage(0.1, between, asyncio.Queue()))
    await asyncio.sleep(1000)
    assert not first.done() and between.full()
    first.cancel()


@trap("async with")
def the_body_cannot_be_read_after_the_block():
    async def after():
        async with Services() as web, aiohttp.ClientSession(web.api) as session:
            async with session.get("/users/101") as resp:
                assert await resp.text()
            async with session.get("/users/101") as resp:
                pass
            with pytest.raises(aiohttp.ClientConnectionError):
                await resp.text()

    asyncio.run(after())


@trap("Graceful shutdown")
async def a_worker_that_waits_does_not_look():
    queue, stop = asyncio.Queue(), asyncio.Event()

    async def get(*_):
        await queue.get()

    worker = asyncio.create_task(defined("Graceful shutdown", stop=stop, fetch=get).worker(0.1))
    queue.put_nowait(101)
    await asyncio.sleep(1)
    stop.set()
    await asyncio.sleep(1000)
    assert not worker.done()
    queue.put_nowait(None)
    await worker


@trap("Retry")
async def an_order_is_placed_twice():
    orders = []

    @stamina.retry(on=ConnectionError, attempts=3)
    async def order():
        orders.append("book")
        if len(orders) == 1:
            raise ConnectionResetError("the answer got lost")

    await order()
    assert orders == ["book", "book"]


@trap("First wins")
async def an_error_wins_and_the_losers_run_on():
    tasks = [asyncio.create_task(fetch(number, delay)) for number, delay in ((101, 2), (0, 1))]
    first, late = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(ValueError, match="404"):
        first.pop().result()
    assert await late.pop() == {"user_id": 101}


@trap("Single flight")
async def without_shield_one_caller_cancels_all():
    for shield, cancelled in ((asyncio.shield, [True, False, False]), (lambda task: task, [True, True, True])):
        names = SimpleNamespace(create_task=asyncio.create_task, shield=shield)
        card = defined("Single flight", asyncio=names, flights=(flights := {}))
        callers = [asyncio.create_task(card.shared(101)) for _ in range(2)]
        await asyncio.sleep(0.1)
        callers[0].cancel()
        ended = [*callers, flights[101]]
        await asyncio.wait(ended)
        assert [task.cancelled() for task in ended] == cancelled


@trap("Lock")
async def taken_twice_it_waits_forever():
    lock = asyncio.Lock()

    async def again(_):
        await defined("Lock", lock=lock, seats=["A1"]).book(101)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1000):
            await defined("Lock", lock=lock, seats=["A1"], fetch=again).book(101)


@trap("Protected step")
def with_shield_alone_the_end_of_main_cuts_it():
    cut = []

    async def payment():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.append("payment")
            raise

    async def main():
        order = asyncio.create_task(asyncio.wait_for(asyncio.shield(payment()), 0.01))
        await asyncio.wait([order])
        assert cut == []  # the order has left, and the payment goes on

    asyncio.run(main())
    assert cut == ["payment"]


@trap("Thread for blocking code")
def the_thread_works_on():
    go_on, ended = threading.Event(), threading.Event()

    def blocking():
        go_on.wait(60)
        ended.set()

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.to_thread(blocking)
        assert not ended.is_set()
        go_on.set()
        await asyncio.to_thread(ended.wait, 60)

    asyncio.run(main())
    assert ended.is_set()
