"""Each property holds for one sample and fails for another, with the message meant for it."""

import asyncio
import contextlib
import inspect
import re
import time

import pytest

from asynclab.exercises import properties as p
from asynclab.exercises.probes import Jobs, Probe
from asynclab.exercises.running import run


def run_now(function, *args, **options):
    return asyncio.run(run(function, *args, **options))


async def side_by_side(jobs):
    return await asyncio.gather(*[jobs.fetch(item) for item in range(4)])


async def in_a_row(jobs):
    return [await jobs.fetch(item) for item in range(4)]


async def two_at_once(jobs):
    places = asyncio.Semaphore(2)

    async def one(item):
        async with places:
            return await jobs.fetch(item)

    return await asyncio.gather(*map(one, range(4)))


async def as_completed(jobs):
    return [await each for each in asyncio.as_completed([jobs.fetch(3), jobs.fetch(0)])]


async def grouped(jobs):
    async with asyncio.TaskGroup() as group:
        for item in range(4):
            group.create_task(jobs.fetch(item))


async def leaky(jobs):
    asyncio.create_task(jobs.fetch(0), name="left alone")  # noqa: RUF006  (that is the mistake)
    await asyncio.sleep(0)


async def loses(jobs):
    asyncio.create_task(jobs.fetch(0), name="unheard")  # noqa: RUF006
    await asyncio.sleep(0.05)


async def forgets(jobs):
    jobs.fetch(0)


async def blocks(jobs):
    time.sleep(0.01)


async def works_long(jobs):
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass


async def polls(jobs):
    task = asyncio.create_task(jobs.fetch(0))
    while not task.done():  # noqa: ASYNC110
        await asyncio.sleep(0.0005)
    return await task


async def waits(jobs):
    return await asyncio.create_task(jobs.fetch(0))


async def through_one_session(jobs):
    async with jobs.session() as session:
        return [await session.fetch(item) for item in range(2)]


async def through_two_sessions(jobs):
    for item in range(2):
        async with jobs.session() as session:
            await session.fetch(item)


async def never_closes(jobs):
    session = await jobs.session().__aenter__()
    await session.fetch(0)


async def closes_only_at_the_end(jobs):
    session = jobs.session()
    await (await session.__aenter__()).fetch(0)
    await session.__aexit__(None, None, None)


async def swallows(jobs):
    try:
        await jobs.fetch(0)
    except asyncio.CancelledError:
        return "done"


async def translates(jobs):
    try:
        await jobs.fetch(0)
    except asyncio.CancelledError:
        raise ValueError("stop") from None


async def with_limit(jobs):
    try:
        async with asyncio.timeout(0.05):
            return await jobs.fetch(0)
    except TimeoutError:
        return None


async def abandons(jobs):
    task = asyncio.create_task(jobs.fetch(0))
    await asyncio.wait([task], timeout=0.05)


async def prints(jobs):
    print("here I am")


async def writes(jobs):
    with open("result.txt", "w") as file:  # noqa: ASYNC230
        file.write("x")


async def rebinds(jobs):
    asyncio.gather = None


async def returns_a_coroutine(jobs):
    return jobs.fetch(1)


async def returns_a_task(jobs):
    task = asyncio.create_task(jobs.fetch(1))
    await task
    return task


async def reversed_results(jobs):
    return list(reversed(await side_by_side(jobs)))


async def drops_one(jobs):
    return (await side_by_side(jobs))[:-1]


async def paced(jobs):
    for item in range(4):
        if item and item % 2 == 0:
            await asyncio.sleep(0.3)
        await jobs.fetch(item)


async def hangs(jobs):
    await asyncio.Event().wait()


async def fails(jobs):
    raise LookupError("not there")


def plain(jobs):
    return 1


async def yields(jobs):
    yield 1


async def twice(jobs):
    await grouped(jobs)
    await jobs.fetch(2)


QUICK, SLOW = {"delay": 0.01}, {"delay": 30}
FAILING = {"delay": lambda item: 0.01 if item == 1 else 0.1, "failing": [1]}

# property, what passes, what fails, what its message says; a sample is a function, with options of Jobs and of run
CASES = [
    (p.is_coroutine_function(), side_by_side, plain, "Define it with async def"),
    (p.is_coroutine_function(), side_by_side, yields, "asynchronous generator"),
    (p.returned([0, 10, 20, 30]), side_by_side, drops_one, r"returned \[0, 10, 20\], not \[0, 10, 20, 30\]"),
    (p.returned(1), plain, returns_a_coroutine, "a coroutine, which has not run. Write await"),
    (p.returned(1), plain, returns_a_task, "a task, not its result. Await the task"),
    (p.returned([0, 10, 20, 30]), in_a_row, grouped, "returned nothing"),
    (p.results_in_order([0, 10, 20, 30]), side_by_side, reversed_results, "not in the order of the input"),
    (p.results_in_order([0, 10, 20, 30]), side_by_side, drops_one, "1 result is missing: 30"),
    (p.results_in_order([0, 10, 20, 30]), side_by_side, plain, "not a list of 4 results"),
    (p.raised(LookupError, "not"), fails, plain, "raised nothing, where LookupError is expected"),
    (p.raised(LookupError, "not"), fails, (side_by_side, FAILING), "raised ValueError .*not LookupError"),
    (p.ended_by_itself(), side_by_side, (hangs, QUICK, {"deadline": 0.1}), "still waiting after .*line"),
    (p.ran_concurrently(4), side_by_side, in_a_row, "no two were ever under way at once. Start them all"),
    (p.ran_concurrently(4), side_by_side, two_at_once, "At most 2 were under way at once, where 4"),
    (p.ran_concurrently(2), side_by_side, prints, "No job ever began"),
    (p.ran_concurrently(4, among="fetch"), side_by_side, plain, "No “fetch” ever began"),
    (p.at_most(2), two_at_once, side_by_side, "4 were under way at once, where 2 are allowed"),
    (p.ran_sequentially(), in_a_row, two_at_once, "2 were under way at once, where each must wait"),
    (p.did_not_block(), side_by_side, blocks, r"time.sleep\(0.01\) held the event loop"),
    (p.did_not_block(), side_by_side, works_long, "One step held the event loop for .* m?s"),
    (p.happened_in_order("done 0", "start 1"), in_a_row, side_by_side, "“start 1” came before “done 0”"),
    (p.happened_in_order("start 0", "start 3"), in_a_row, waits, "“start 3” never happened"),
    (p.cleaned_up(), through_one_session, never_closes, "was not closed at the end"),
    (
        p.cleaned_up(),
        (through_one_session, SLOW, {"cancel_after": "start 0"}),
        (closes_only_at_the_end, SLOW, {"cancel_after": "start 0"}),
        "not closed when it was cancelled",
    ),
    (
        p.cleaned_up(),
        (through_one_session, {"failing": [0]}),
        (closes_only_at_the_end, {"failing": [0]}),
        "not closed when it failed",
    ),
    (
        p.passed_cancellation_on(),
        (side_by_side, SLOW, {"cancel_after": "start 3"}),
        (swallows, SLOW, {"cancel_after": "start 0"}),
        "caught its cancellation.*bare raise",
    ),
    (
        p.passed_cancellation_on(),
        (side_by_side, SLOW, {"cancel_after": 0.05}),
        (translates, SLOW, {"cancel_after": 0.05}),
        r"raised ValueError \(stop\) instead",
    ),
    (p.cancelled_siblings(), (grouped, FAILING), (side_by_side, FAILING), "One failed, and the others ran on"),
    (p.cancelled_siblings(), (grouped, FAILING), in_a_row, "Nothing failed"),
    (p.no_task_leaked(), side_by_side, (leaky, SLOW), "task “left alone” was still running. Await every task"),
    (p.no_exception_lost(), side_by_side, (loses, {"delay": 0.001, "failing": [0]}), "lost: ValueError: job 0 failed"),
    (p.awaited_every_coroutine(), side_by_side, forgets, r"called fetch\(\) and never awaited it"),
    (p.each_once(range(4)), side_by_side, twice, "Item 2 was worked on 2 times"),
    (p.each_once(range(4)), side_by_side, waits, "3 items are never worked on: 1"),
    (p.each_once(range(2)), through_one_session, side_by_side, "2 was worked on, which nobody asked for"),
    (
        p.kept_deadline(0.05),
        (with_limit, SLOW),
        (waits, {"delay": 0.3}),
        "ran on to its end, beyond your limit of 50.0 ms",
    ),
    (p.kept_deadline(0.05), (with_limit, SLOW), (abandons, SLOW), "the work itself runs on. Cancel it"),
    (
        p.rate_at_most(2, per=0.25),
        (paced, {"delay": 0.001}),
        side_by_side,
        "4 began within 250 ms, where 2 are allowed",
    ),
    (p.used_one_session(), through_one_session, through_two_sessions, "opened 2 sessions. Open one before the loop"),
    (p.used_one_session(), through_one_session, side_by_side, "opened no session"),
    (p.used_one_session(), through_one_session, never_closes, "session was never closed"),
    (p.did_not_poll(), waits, (polls, {"delay": 0.3}), "times to look whether something had happened"),
    (p.printed_nothing(), side_by_side, prints, "printed “here I am”"),
    (p.wrote_nothing(), side_by_side, writes, "wrote the file result.txt"),
    (p.changed_nothing(), side_by_side, rebinds, "changed asyncio.gather"),
]


def sample_run(sample):
    function, *options = sample if isinstance(sample, tuple) else (sample,)
    jobs = Jobs(**(options[0] if options else QUICK))
    return run_now(function, jobs, **(options[1] if len(options) > 1 else {}))


@pytest.mark.parametrize(("check", "good", "bad", "message"), CASES, ids=lambda case: getattr(case, "__name__", None))
def test_a_property_holds_for_one_and_fails_for_another(check, good, bad, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check(sample_run(good)) is None
    said = check(sample_run(bad))
    assert said is not None, "this sample must fail"
    assert re.search(message, said), said
    assert "\n" not in said and said.endswith(".") and len(said) < 300


def test_every_property_has_a_sample():
    public = {name for name in p.__all__ if name not in {"Property", "explain", "judge", "peak"}}
    tested = {check.__qualname__.partition(".")[0] for check, *_ in CASES}
    assert tested == public
    assert len(public) >= 18
    assert all(inspect.getdoc(getattr(p, name)) for name in public)


@pytest.mark.parametrize(
    ("intervals", "most"),
    [([], 0), ([(0, 1)], 1), ([(0, 1), (1, 2)], 1), ([(0, 2), (1, 3), (1.5, 1.7)], 3), ([(1, 1), (1, 1)], 0)],
)
def test_peak(intervals, most):
    assert p.peak(intervals) == most
    assert p.peak(reversed(intervals)) == most


def test_peak_refuses_an_interval_that_ends_before_it_starts():
    with pytest.raises(ValueError, match="ends before it starts"):
        p.peak([(2, 1)])


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        (fails, {}, r"raised LookupError \(not there\), line \d+ “raise LookupError"),
        (hangs, {"deadline": 0.1}, r"still waiting after 100 ms, line \d+ “await asyncio.Event\(\).wait\(\)”"),
        (None, {}, "no function to check but None"),
        (7, {}, "no function to check but 7"),
        (swallows, {}, None),
    ],
)
def test_what_ended_it_is_told_first(function, options, said):
    record = run_now(function, Jobs(), **options)
    told = p.judge(record, [p.ran_concurrently(2, among="nothing")])
    if said is None:
        assert p.explain(record) is None
        assert "ever began" in told
    else:
        assert re.search(said, told), told


def test_a_group_of_errors_is_told_by_what_is_in_it():
    record = run_now(grouped, Jobs(**FAILING))
    assert "a group of errors: ValueError" in p.explain(record)
    assert p.judge(record, [p.cancelled_siblings(), p.no_task_leaked()]) is None
    assert p.judge(record, [p.no_task_leaked()]) == p.explain(record)


def test_an_expected_error_is_no_fault_but_being_stopped_is():
    record = run_now(fails, Jobs())
    assert p.judge(record, [p.raised(LookupError)]) is None
    record = run_now(hangs, Jobs(), deadline=0.1)
    assert "still waiting" in p.judge(record, [p.raised(LookupError)])


def test_one_that_ignores_its_cancellation_is_told_so():
    async def ignores():
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    record = run_now(ignores, deadline=0.15, cancel_after=0.02)
    assert record.stopped and record.cancelled
    assert "was cancelled, and ran on" in p.judge(record, [p.passed_cancellation_on()])


def test_a_long_step_of_an_idle_machine_is_not_blamed_on_the_learner():
    """The duration alone is no evidence: no work was done in the step and nobody was kept waiting."""
    from dataclasses import replace

    record = run_now(works_long, Jobs())
    longest = max(step.end - step.start for row in record.trace.tasks if not row.root for step in row.steps)
    property = p.did_not_block(longest / 2)  # however long the machine paused, the step is twice the limit
    assert property(replace(record, cpu=0.0)) is None
    assert "held the event loop" in property(replace(record, cpu=longest))


def test_values_that_cannot_be_compared_or_shown_are_refused_all_the_same():
    class Nasty:
        def __eq__(self, other):
            raise RuntimeError("no")

        __hash__ = None

        def __repr__(self):
            raise RuntimeError("no")

    async def nasty():
        return Nasty()

    assert "returned “Nasty”, not 3" in p.returned(3)(run_now(nasty))
    assert "not a list" in p.results_in_order([3])(run_now(nasty))


def test_a_probe_of_ones_own():
    class Door(Probe):
        def acquire(self):
            self.note("acquire", "door")

        def release(self):
            self.note("release", "door")

    async def careful(door):
        door.acquire()
        door.release()

    async def careless(door):
        door.acquire()

    check = p.cleaned_up("acquire", "release")
    assert check(run_now(careful, Door("door"))) is None
    assert "not released" in check(run_now(careless, Door("door")))
    Door("door").acquire()  # outside a run: nothing to record to, and no harm
