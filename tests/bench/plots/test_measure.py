"""Attacks on asynclab.plots and asynclab.work: wrong input, failing variants, interrupts, and what is shown."""

import asyncio
import errno
import functools
import gc
import math
import multiprocessing
import re
import signal
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from html import unescape

import pytest
from nbval.plugin import get_sanitize_patterns

import notebook_file
from asynclab import work
from asynclab.page.numbers import ratio
from asynclab.plots import runs
from asynclab.plots.comparison import Comparison, compare
from asynclab.plots.runs import Runs
from asynclab.plots.sweep import Point, Sweep, sweep

RULES = get_sanitize_patterns((notebook_file.ROOT / "tests/notebooks/nbval_sanitize.cfg").read_text(encoding="utf-8"))


def run(awaitable):
    return asyncio.run(awaitable)


async def waits():
    await asyncio.sleep(0.001)
    return "waited"


@pytest.fixture
def pass_time(monkeypatch):
    """Replace the clock by one that only this function moves, by the seconds it is given."""
    now = [0.0]
    monkeypatch.setattr(runs.time, "perf_counter", lambda: now[0])

    def pass_time(seconds):
        now[0] += seconds

    return pass_time


class Prepared:
    """A variant that must be started before it is run, and says what happened to it."""

    def __init__(self, job=lambda: None):
        self.log, self.job = [], job

    def __enter__(self):
        self.log.append("start")

    def __exit__(self, *exc_info):
        self.log.append("end")

    def __call__(self, *args):
        self.log.append("run")
        return self.job(*args)


# ---- compare


def test_variants_take_turns():
    order = []

    async def third():
        order.append("c")

    result = run(compare("Turns", {"a": lambda: order.append("a"), "b": lambda: order.append("b"), "c": third}))
    assert "".join(order) == "abc" * 3
    assert [len(result[name].runs) for name in result.names] == [3, 3, 3]


def test_plain_and_coroutine_functions_are_run_and_their_values_kept():
    result = run(
        compare(
            "Kinds",
            {
                "plain": lambda: "plain",
                "coroutine function": waits,
                "lambda around one": lambda: waits(),
                "partial of one": functools.partial(asyncio.sleep, 0, "slept"),
                "future": lambda: asyncio.gather(waits(), waits()),
            },
            repeats=2,
        )
    )
    assert [result[name].value for name in result.names] == ["plain", "waited", "waited", "slept", ["waited"] * 2]


def test_time_covers_what_is_awaited():
    result = run(compare("Awaited", {"now": lambda: None, "later": lambda: asyncio.sleep(0.05)}, repeats=2))
    assert result["later"].fastest > 0.04
    assert result.ratio("later") < 1 < result.ratio("now", "later")


def test_a_plain_variant_runs_in_the_thread_of_the_loop():
    result = run(compare("Where", {"here": threading.get_ident}))
    assert result["here"].value == threading.get_ident()


def test_numbers_of_a_comparison():
    result = Comparison("Fixed", {"a": Runs((4.0, 2.0, 3.0), "x"), "b": Runs((1.0, 1.5)), "c": Runs((1.4, 9.0))})
    assert (result["a"].median, result["a"].fastest, result["a"].slowest, result["a"].value) == (3.0, 2.0, 4.0, "x")
    assert result.ratio("b") == pytest.approx(3 / 1.25)
    assert result.ratio_range("b") == pytest.approx((2 / 1.5, 4 / 1))
    assert result.overlaps == [("a", "c"), ("b", "c")]
    assert repr(result) == "<Comparison 'Fixed': a 3.00 s, b 1.25 s, c 5.20 s>"
    with pytest.raises(KeyError, match="no variant 'd': there are a, b, c"):
        result["d"]


# ---- what makes no sense is refused before anything runs


@pytest.mark.parametrize(
    ("variants", "error", "says"),
    [
        ({}, ValueError, "nothing to measure"),
        ([waits], ValueError, "nothing to measure"),
        ({"fine": waits, "five": 5}, TypeError, 'variant "five" must be a function, not int'),
        ({"odd": None}, TypeError, 'variant "odd"'),
    ],
)
def test_bad_variants(variants, error, says):
    for measuring in (compare("Bad", variants), sweep("Bad", variants, [1, 2])):
        with pytest.raises(error, match=says):
            run(measuring)


def test_coroutine_in_place_of_a_function(recwarn):
    with pytest.raises(TypeError, match=r'variant "called" is a coroutine.*"called": lambda: waits'):
        run(compare("Bad", {"called": waits(), "also": waits()}))
    gc.collect()
    assert not recwarn.list  # in particular, no "never awaited"


def test_generators_do_no_work():
    async def stream():
        yield 1

    with pytest.raises(TypeError, match='variant "stream" is a generator function'):
        run(compare("Bad", {"stream": stream}))
    with pytest.raises(RuntimeError, match=r'variant "hidden" failed in run 1 of 3.*generator'):
        run(compare("Bad", {"hidden": lambda: stream()}))


@pytest.mark.parametrize("repeats", [1, 0, -3, 2.5, None])
def test_one_run_proves_nothing(repeats):
    with pytest.raises(ValueError, match="at least 2"):
        run(compare("Bad", {"a": waits}, repeats=repeats))


@pytest.mark.parametrize("seconds", [0, -1.0, math.nan, math.inf, "1 s"])
def test_bad_times(seconds):
    with pytest.raises(ValueError, match="ideal must be a time above 0"):
        run(compare("Bad", {"a": waits}, ideal=seconds))
    with pytest.raises(ValueError, match="budget must be a time above 0"):
        run(sweep("Bad", {"a": waits}, [1, 2], budget=seconds))
    with pytest.raises(ValueError, match=r"ideal\(1\) must be a time above 0"):
        run(sweep("Bad", {"a": waits}, [1, 2], ideal=lambda n: seconds))


def test_the_ideal_of_a_sweep_is_a_function():
    with pytest.raises(TypeError, match="ideal must be a function of the size"):
        run(sweep("Bad", {"a": waits}, [1, 2], ideal=0.5))


@pytest.mark.parametrize("sizes", [[], [5], [1, 1], [2, 1], [0, 1], [-1, 1], [1, 2.0], [1, "2"], [True, 2]])
def test_bad_sizes(sizes):
    with pytest.raises(ValueError, match="sizes must be"):
        run(sweep("Bad", {"a": lambda n: None}, sizes))


def test_the_garbage_collector_is_left_as_it_was(monkeypatch):
    def fail():
        seen.append("run")
        raise OSError

    seen = []
    for name in ("collect", "freeze", "unfreeze"):
        monkeypatch.setattr(gc, name, functools.partial(seen.append, name))
    with pytest.raises(RuntimeError, match="OSError"):
        run(compare("Fails", {"a": fail}))
    assert seen[:2] == ["collect", "freeze"] and seen[-2:] == ["run", "unfreeze"]


# ---- variants that fail, interrupts and cancellation


def test_a_failing_variant_is_named_and_nothing_more_is_run():
    later, calls = Prepared(), []

    def second_time():
        calls.append(1)
        if len(calls) == 2:
            raise OSError("gone")

    with pytest.raises(RuntimeError, match='variant "weak" failed in run 2 of 3: OSError: gone') as caught:
        run(compare("Fails", {"weak": second_time, "strong": later}))
    assert isinstance(caught.value.__cause__, OSError)
    assert later.log == ["start", "run", "end"]


@pytest.mark.parametrize(
    "error", [StopIteration("odd"), ExceptionGroup("two", [ValueError(), OSError()]), TimeoutError()]
)
def test_any_exception_is_chained(error):
    def fail():
        raise error

    with pytest.raises(RuntimeError, match='variant "a" failed') as caught:
        run(compare("Fails", {"a": fail}))
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("measuring", [compare, functools.partial(sweep, sizes=[1, 2], memory=True)])
def test_what_is_no_exception_passes_untouched(kind, measuring):
    error = kind("as it is")

    def fail(*args):
        raise error

    variant = Prepared(fail)

    async def main():
        try:
            await measuring("Interrupted", {"a": variant})
        except BaseException as caught:
            return caught

    assert run(main()) is error
    assert variant.log == ["start", "run", "end"]
    assert not tracemalloc.is_tracing()


def test_a_group_that_holds_an_interrupt_passes_untouched():
    def fail():
        raise BaseExceptionGroup("group", [KeyboardInterrupt(), ValueError()])

    async def main():
        with pytest.raises(BaseExceptionGroup, match="group"):
            await compare("Interrupted", {"a": fail})

    run(main())


def test_cancellation_reaches_the_variant():
    reached = []

    async def main():
        async def long():
            reached.append("begun")
            asyncio.get_running_loop().call_soon(task.cancel)
            try:
                await asyncio.sleep(60)
            finally:
                reached.append("ended")

        task = asyncio.create_task(compare("Cancelled", {"long": long}))
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert run(main()) == set()
    assert reached == ["begun", "ended"]


def test_cancellation_between_plain_variants():
    calls = []

    async def main():
        task = asyncio.create_task(compare("Cancelled", {"a": lambda: calls.append(1) or task.cancel()}))
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert calls == [1]


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals reach the main thread")
def test_an_interrupt_ends_a_plain_variant_that_holds_the_loop():
    reached = []

    def busy():
        reached.append("begun")
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.001)
        reached.append("ended")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts a job in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            run(compare("Interrupted", {"busy": busy}))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert reached == ["begun"]


def test_measuring_in_another_thread():
    def measured():
        return run(compare("There", {"a": threading.get_ident, "pool": work.processes(time.monotonic, 1, workers=1)}))

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(measured).result()["a"].value != threading.get_ident()


class Unstartable(Prepared):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def __enter__(self):
        raise self.error


def test_a_variant_that_cannot_be_started():
    first = Prepared()
    with pytest.raises(RuntimeError, match='variant "broken" could not be started: ValueError: a mistake'):
        run(compare("Fails", {"first": first, "broken": Unstartable(ValueError("a mistake"))}))
    assert first.log == ["start", "end"]


NO_ROOM = [
    RuntimeError("can't start new thread"),
    MemoryError(),
    BrokenProcessPool("a process was ended abruptly"),
    BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]


@pytest.mark.parametrize("error", [*NO_ROOM, OSError("no /dev/shm"), threading.BrokenBarrierError()])
def test_a_variant_that_this_machine_cannot_start_is_told_and_the_others_are_measured(error):
    variants = {"pool": Unstartable(error), "here": waits}
    result = run(compare("Starts", variants, repeats=2, ideal=0.001, guess={"pool": 1, "here": 0.001}))
    assert (len(result["pool"].runs), len(result["here"].runs)) == (0, 2)
    assert math.isnan(result.ratio("here")) and result.overlaps == []
    shown = result._repr_mimebundle_()
    said = f"pool was not measured: {type(error).__name__}"
    assert said in shown["text/plain"] and said in shown["text/html"] and said in result.alt()
    assert re.search(r"pool +not measured +–", shown["text/plain"])
    drawn = texts(result.plot())
    assert "not measured" in drawn and not any("nan" in text or "slower" in text for text in drawn)
    grown = run(sweep("Starts", {"pool": Unstartable(error), "here": lambda n: None}, [1, 2], memory=True))
    assert said.replace(":", " from N = 1 on:") in grown._repr_mimebundle_()["text/html"]
    assert grown.stopped == {"pool": 1} and math.isnan(grown.expected("pool", 2)) and grown.largest() == 2


@pytest.mark.parametrize("error", NO_ROOM)
def test_a_variant_that_runs_out_of_room_is_measured_up_to_there(error):
    turns = []

    def second_time():
        turns.append(1)
        if len(turns) == 2:
            raise error

    alone = run(compare("Room", {"crowd": second_time}))
    assert alone["crowd"].runs == () and alone.unmeasured.keys() == {"crowd"} and len(turns) == 2
    assert alone._repr_mimebundle_()["text/html"]

    def many(n):
        if n > 10:
            raise error

    result = run(sweep("Room", {"many": many, "few": lambda n: None}, [1, 10, 100, 1000], memory=True))
    assert result.stopped == {"many": 100} and result.largest() == 10 and result.largest("few") == 1000
    assert f"many was not measured from N = 100 on: {type(error).__name__}" in result.text()
    drawn = texts(result.plot())
    assert any(f"stopped: {type(error).__name__}" in text for text in drawn)
    assert not any(text.startswith("budget") for text in drawn), "it was not the budget that stopped it"


def test_memory_that_cannot_be_measured():
    def hold(n):
        if tracemalloc.is_tracing():
            raise MemoryError

    result = run(sweep("Room", {"hold": hold}, [1, 2], memory=True))
    assert result.unmeasured == {"hold": "MemoryError"} and result["hold"][1].runs == ()
    assert result._repr_mimebundle_()["text/html"] and not tracemalloc.is_tracing()


# ---- sweep


def test_a_point_rests_on_as_many_runs_as_the_budget_allows(pass_time):
    def taking(seconds):
        return lambda n: pass_time(seconds)

    variants = {"five": taking(0.1), "three": taking(0.6), "two": taking(1.9), "one": taking(2.1)}
    result = run(sweep("Runs", variants, [10, 11]))
    assert [len(result[name][10].runs) for name in result.names] == [5, 3, 2, 1]
    assert result["five"][10].median == pytest.approx(0.1)


def test_a_variant_over_budget_is_stopped_and_the_others_go_on(pass_time):
    asked = []

    def slow(n):
        asked.append(n)
        pass_time(0.01 * n**2)

    async def swift(n):
        pass_time(0.1)
        return n

    result = run(sweep("Stops", {"slow": slow, "swift": swift}, [1, 2, 4, 10, 20, 100], budget=2))
    assert set(asked) == {1, 2, 4, 10}  # 10 takes 1 s and 20 would take 4 s
    assert result.stopped == {"slow": 20}
    assert [point.value for point in result["swift"].values()] == [1, 2, 4, 10, 20, 100]
    assert math.isnan(result["slow"][20].median) and math.isnan(result.ratio("swift", 100))
    assert result.ratio("swift", 10) == pytest.approx(10)
    assert result.largest() == result.largest("swift", "slow") == 10 and result.largest("swift") == 100
    assert result.ratio("swift") == pytest.approx(10), "at the largest size that both were run at"
    assert result.ratio("slow", against="swift") == pytest.approx(0.1)
    assert [result.expected("slow", n) for n in (10, 20, 100)] == pytest.approx([1, 4, 100])


def test_after_a_single_run_over_budget_the_next_size_is_spared(pass_time):
    asked = []
    result = run(sweep("Once", {"slow": lambda n: asked.append(n) or pass_time(3)}, [1, 2]))
    assert asked == [1]
    assert result.stopped == {"slow": 2}


@pytest.mark.parametrize("memory", [False, True])
def test_any_question_about_a_size_that_was_spared_has_an_answer(pass_time, memory):
    variants = {"slow": lambda n: pass_time(n), "slower": lambda n: pass_time(2 * n)}
    result = run(sweep("Spared", variants, [1, 10, 100], memory=memory, budget=0.01))
    assert result.largest() == 1 and result.ratio("slower") == pytest.approx(0.5)
    assert math.isnan(result["slow"][1].memory) is math.isnan(result.ratio("slower", of="memory")) is not memory
    spared = result["slow"][100]
    for unknown in (spared.median, spared.memory, result.ratio("slower", 10), result.ratio("slower", 10, of="memory")):
        assert math.isnan(unknown)
        assert compared(ratio(unknown)) == compared(ratio(1.5)), "printed, it is a ratio like any other"
    assert result._repr_mimebundle_()["text/html"]


def test_memory_is_compared_where_both_were_run():
    crowd = {1: Point((1.0,), None, 800), 10: Point((1.0,), None, 9000), 100: Point(())}
    few = {1: Point((1.0,), None, 100), 10: Point((1.0,), None, 300), 100: Point((1.0,), None, 10)}
    result = Sweep("Memory", {"crowd": crowd, "few": few}, 2.0)
    assert (result.ratio("few", of="memory"), result.ratio("few", 1, of="memory")) == (30, 8)
    assert result.ratio("crowd", against="few", of="memory") == pytest.approx(1 / 30)


def test_growth_is_extended_as_a_power():
    quadratic = {n: Point((0.01 * n**2,)) for n in (1, 10)} | {1000: Point(())}
    assert Sweep("Powers", {"a": quadratic}, 2.0).expected("a", 1000) == pytest.approx(10_000)
    falling = {1: Point((0.5,)), 10: Point((0.1,)), 1000: Point(())}  # noise must not promise to get ever faster
    assert Sweep("Noise", {"a": falling}, 2.0).expected("a", 1000) == pytest.approx(0.1)
    alone = {10: Point((3.0,)), 20: Point(())}
    assert Sweep("First", {"a": alone}, 2.0).expected("a", 20) == pytest.approx(6.0)


def test_memory_is_measured_apart_from_time():
    tracing = []

    def hold(n):
        tracing.append(tracemalloc.is_tracing())
        return len(bytearray(n))

    result = run(sweep("Memory", {"hold": hold}, [100_000, 1_000_000], memory=True))
    assert tracing == [*[False] * 5, True] * 2
    assert 1_000_000 <= result["hold"][1_000_000].memory < 1_200_000
    assert "memory" in result.text() and "memory" in result.alt()


def test_memory_leaves_a_trace_that_was_open_running():
    tracemalloc.start()
    try:
        len(bytearray(1_000_000))  # a peak of someone else's
        result = run(sweep("Memory", {"none": lambda n: None}, [1, 2], memory=True))
        assert tracemalloc.is_tracing()
        assert result["none"][1].memory < 100_000
    finally:
        tracemalloc.stop()


# ---- what is shown


def comparison(factor, spread):
    def runs(seconds):
        return Runs((seconds * (1 - spread), seconds, seconds * (1 + spread)))

    return Comparison("Two ways", {"sync": runs(2.5), "async": runs(2.5 * factor)}, ideal=0.5)


def growth(factor, stopped):
    def points(seconds):
        return {n: Point((seconds * n,) * (2 if factor > 1 else 5), None, 900 * n) for n in (1, 10)}

    slow = points(0.3 * factor) | {100: Point(()) if stopped else Point((29.0,), None, 10**5)}
    quick = points(1e-5 * factor) | {100: Point((0.9,), None, 10**5)}
    return Sweep("Growth", {"slow": slow, "quick": quick}, 2.0, {1: 0.1, 10: 0.2, 100: 0.3}, "jobs")


def compared(text):
    """Return what the strict comparison of notebooks sees of `text`."""
    for rule, replacement in dict(RULES).items():
        text = re.sub(rule, replacement, text)
    return text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (comparison(0.2, 0.001), comparison(1.1, 0.3)),  # five times as fast; no telling
        (growth(1.0, stopped=True), growth(2.0, stopped=False)),
    ],
)
def test_two_measurements_differ_in_numbers_only(one, other):
    one, other = one._repr_mimebundle_(), other._repr_mimebundle_()
    for kind in ("text/plain", "text/html"):
        assert one[kind] != other[kind]
        assert compared(one[kind]) == compared(other[kind])


def test_a_comparison_says_what_it_found():
    shown = comparison(0.2, 0.01)._repr_mimebundle_()
    assert re.search(r"async +500 ms +495 ms +505 ms +5\.00x +4\.90x +5\.10x +1\.00x", shown["text/plain"])
    alt = unescape(re.search('<img alt="(.*?)"', shown["text/html"]).group(1))
    assert "async: 500 ms, between 495 ms and 505 ms; 5.00x as fast as sync, between 4.90x and 5.10x" in alt
    assert "ideal, 500 ms" in alt
    assert str(comparison(0.2, 0.01)) == shown["text/plain"]


def test_a_sweep_says_what_it_found():
    shown = growth(1.0, stopped=True)._repr_mimebundle_()
    assert re.search(r"slow +100 +30\.0 s +30\.0 s +30\.0 s +0x +100x +87\.9 KiB", shown["text/plain"])
    assert "30.0 s (on 0x runs, 87.9 KiB) at jobs = 100" in shown["text/html"]


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_figures_say_what_cannot_be_told_and_what_was_stopped():
    near, far = texts(comparison(1.1, 0.3).plot()), texts(comparison(0.2, 0.001).plot())
    assert any("1.10x slower" in text for text in near) and any("the runs do not tell" in text for text in near)
    assert any("5.00x as fast" in text for text in far) and not any("the runs do not tell" in text for text in far)
    assert any("stopped: next would take 30.0 s" in text for text in texts(growth(1.0, stopped=True).plot()))
    assert not any("stopped" in text for text in texts(growth(1.0, stopped=False).plot()))


def test_a_guess_that_a_formula_made():
    guess, seconds = {"sync": 2.0, "async": 9.0}, {"sync": Runs((2.0, 2.0)), "async": Runs((0.5, 0.5))}
    result = Comparison("Predicted", seconds, guess=guess, guess_by="the formula")
    said = "Measured, for what the formula predicted: sync 2.00 s for 2.00 s, async 500 ms for 9.00 s."
    assert said in result.text() and said in result.alt() and said in result._repr_mimebundle_()["text/html"]
    drawn = texts(result.plot())
    assert any("dashed: predicted" in text for text in drawn) and any("→ predicted 9.00 s" in text for text in drawn)
    assert not any("your guess" in text.lower() for text in [*drawn, result.text()])


@pytest.mark.parametrize("name", ["a" * 200, "costs $5 or $6", r"$\nonsense{$", "<b>&", "x"])
def test_any_name_can_be_drawn(name):
    result = Comparison(name, {name: Runs((1e-7, 2e-7)), "other": Runs((1e3, 2e3))})
    assert "<b>" not in result._repr_mimebundle_()["text/html"]
    assert name in result.text()
    points = {1: Point((1e-9, 1e-9), None, 1), 2: Point((1e3,), None, 1)}
    assert Sweep(name, {name: points}, 2.0)._repr_mimebundle_()["text/html"]


# ---- progress


class Screen:
    """Stands for a notebook that shows one display."""

    def __init__(self):
        self.shown = []

    def display(self, data, raw, display_id):
        assert raw and display_id
        self.shown.append(data)
        return self

    def update(self, data, raw):
        self.shown.append(data)


def test_progress_begins_and_ends_empty(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(runs, "get_ipython", lambda: type("Shell", (), {"kernel": object()}))
    monkeypatch.setattr(runs, "display", screen.display)
    with pytest.raises(RuntimeError):
        run(compare('A "title"', {"a": lambda: None, "<b>": lambda: 1 / 0}))
    first, *between, last = [shown["text/html"] for shown in screen.shown]
    assert first == last == ""
    assert all('<progress aria-label="Measuring A &quot;title&quot;"' in html for html in between)
    assert "a, run 1 of 3" in between[0] and "&lt;b&gt;" in between[1]


@pytest.mark.parametrize("shell", [None, object()])
def test_no_progress_where_there_is_no_notebook(monkeypatch, shell):
    monkeypatch.setattr(runs, "get_ipython", lambda: shell)
    monkeypatch.setattr(runs, "display", None)  # to call it would fail
    run(compare("Quiet", {"a": lambda: None}))


# ---- work


def test_what_the_jobs_compute():
    assert [work.count_primes(limit) for limit in (-1, 0, 2, 3, 4, 100, 1000)] == [0, 0, 0, 1, 2, 25, 168]
    assert [work.fibonacci(n) for n in range(10)] == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]
    assert work.fingerprint(0) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert work.fingerprint(1) == "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58"
    with pytest.raises(ValueError, match="-1"):
        work.fibonacci(-1)


def test_threads_run_side_by_side():
    everyone = threading.Barrier(4, timeout=10)  # passes only if four are inside at once
    assert len(work.threads(everyone.wait, 4)()) == 4
    assert len(work.threads(everyone.wait)(4)) == 4
    names = work.threads(lambda: threading.current_thread().name, 20, workers=2)()
    assert len(names) == 20 and len(set(names)) <= 2


def test_a_job_that_fails_in_a_thread_leaves_none_behind():
    before = threading.active_count()
    with pytest.raises(RuntimeError, match='variant "threads" failed in run 1 of 3: ZeroDivisionError'):
        run(compare("Fails", {"threads": work.threads(lambda: 1 / 0, 3)}))
    assert threading.active_count() == before


def test_after_a_failure_the_jobs_not_begun_are_dropped():
    begun = []

    def job():
        begun.append(1)
        time.sleep(0.005)
        raise OSError

    with pytest.raises(OSError):
        work.threads(job, 100, workers=1)()
    assert 1 <= len(begun) < 100


def test_processes_in_compare_and_sweep():
    before = threading.active_count()
    job = functools.partial(work.count_primes, 100)
    pool = work.processes(job, 3, workers=2)
    result = run(compare("Pool", {"one by one": lambda: [job() for _ in range(3)], "processes": pool}, repeats=2))
    assert result["processes"].value == result["one by one"].value == [25] * 3
    result = run(sweep("Pool", {"processes": work.processes(job, workers=2)}, [1, 2]))
    assert result["processes"][2].value == [25] * 2
    assert pool() == [25] * 3  # by itself it starts and ends its own
    assert multiprocessing.active_children() == []
    assert threading.active_count() == before


def test_a_job_that_fails_in_a_process_leaves_none_behind():
    with pytest.raises(RuntimeError, match=r'variant "pool" failed in run 1 of 3: ValueError: .*-1'):
        run(compare("Fails", {"pool": work.processes(functools.partial(work.fibonacci, -1), 2, workers=1)}))
    assert multiprocessing.active_children() == []


def test_processes_started_twice():
    pool = work.processes(time.monotonic, 1, workers=1)
    with pytest.raises(RuntimeError, match=r'"b" could not be started.*started already'):
        run(compare("Twice", {"a": pool, "b": pool}))
    assert multiprocessing.active_children() == []


def in_a_notebook():
    return 1


in_a_notebook.__module__ = "__main__"


def test_jobs_that_a_worker_cannot_find(monkeypatch):
    monkeypatch.setattr("__main__.in_a_notebook", in_a_notebook, raising=False)
    for job in (in_a_notebook, functools.partial(map, in_a_notebook)):
        with pytest.raises(TypeError, match=r"defined in this notebook.*take it from a module, such as asynclab\.work"):
            work.processes(job, 2)
    for job in (lambda: 1, functools.partial(sum, threading.Lock())):
        with pytest.raises(TypeError, match="cannot be sent to another process: take it from a module"):
            work.processes(job, 2)


@pytest.mark.parametrize("way", [work.threads, work.processes])
def test_bad_jobs(way):
    with pytest.raises(TypeError, match="coroutine function"):
        way(waits, 2)
    with pytest.raises(TypeError, match=r"use functools\.partial"):
        way(work.count_primes(10), 2)
    with pytest.raises(ValueError, match="n must be at least 1"):
        way(work.count_primes, 0)
    with pytest.raises(ValueError, match="workers must be at least 1"):
        way(work.count_primes, 2, workers=0)
    with pytest.raises(TypeError, match="how many jobs"):
        way(functools.partial(work.count_primes, 10))()
