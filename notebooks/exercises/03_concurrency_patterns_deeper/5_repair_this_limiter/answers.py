"""Answers to exercise 3.5. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import collections
import time


def noted_before_the_sleep(rate, per):
    """what counts is the moment after its wait"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            now = time.perf_counter()
            recent = [moment for moment in moments if now - moment < per]
            if len(recent) >= rate:
                await asyncio.sleep(recent[0] + per - now)
            moments.append(now)

    return acquire


def without_a_lock(rate, per):
    """All of them had waited, and woke at once"""
    moments = []

    async def acquire():
        now = time.perf_counter()
        recent = [moment for moment in moments if now - moment < per]
        if len(recent) >= rate:
            await asyncio.sleep(recent[-rate] + per - now)
        moments.append(time.perf_counter())

    return acquire


def lets_everybody_on(rate, per):
    """3 went on within"""

    async def acquire():
        await asyncio.sleep(0)

    return acquire


def token_bucket(rate, per):
    """3 went on within"""
    tokens, filled = rate, time.perf_counter()
    lock = asyncio.Lock()

    async def acquire():
        nonlocal tokens, filled
        async with lock:
            while True:
                now = time.perf_counter()
                tokens = min(rate, tokens + (now - filled) * rate / per)
                filled = now
                if tokens >= 1:
                    break
                await asyncio.sleep((1 - tokens) * per / rate)
            tokens -= 1

    return acquire


def spread_out(rate, per):
    """Only 1 had gone on in the"""
    last, lock = 0, asyncio.Lock()

    async def acquire():
        nonlocal last
        async with lock:
            while (wait := last + per / rate - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            last = time.perf_counter()

    return acquire


def sleeps_a_whole_per(rate, per):
    """Sleep until the oldest of the last `rate` moments is `per` old"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            now = time.perf_counter()
            if len([moment for moment in moments if now - moment < per]) >= rate:
                await asyncio.sleep(per)
            moments.append(time.perf_counter())

    return acquire


def places_reserved_ahead(rate, per):
    """Others gave up before it"""
    slots = []

    async def acquire():
        now = time.perf_counter()
        slots.append(max(now, slots[-rate] + per) if len(slots) >= rate else now)
        await asyncio.sleep(slots[-1] - now)

    return acquire


def notes_when_it_was_due(rate, per):
    """not when it was due or was woken"""
    went, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            now = time.perf_counter()
            due = max(now, went[-rate] + per) if len(went) >= rate else now
            await asyncio.sleep(due - now)
            went.append(due)

    return acquire


def notes_when_it_is_woken(rate, per):
    """Others gave up before it: note a moment only when its caller goes on"""
    went, waiting, timer = [], [], None

    def wake():
        nonlocal timer
        timer, now = None, time.perf_counter()
        while waiting and (len(went) < rate or now - went[-rate] >= per):
            turn = waiting.pop(0)
            if not turn.done():
                turn.set_result(None)
                went.append(now)
        if waiting:
            timer = asyncio.get_running_loop().call_later(went[-rate] + per - now, wake)

    async def acquire():
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        if timer is None:
            wake()
        await turn

    return acquire


def whoever_looks_first(rate, per):
    """went on before. Let them stand in line"""
    moments = []

    async def acquire():
        while True:
            now = time.perf_counter()
            if len(moments) < rate or now - moments[-rate] >= per:
                moments.append(now)
                return
            await asyncio.sleep(moments[-rate] + per - now)

    return acquire


def newcomers_pass_the_line(rate, per):
    """asked after caller 3, and went on before"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        now = time.perf_counter()
        if len(moments) < rate or now - moments[-rate] >= per:
            moments.append(now)
            return
        async with lock:
            while (wait := moments[-rate] + per - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            moments.append(time.perf_counter())

    return acquire


def last_come_first_served(rate, per):
    """went on before. Let them stand in line"""
    moments, waiting = [], []

    async def acquire():
        me = object()
        waiting.append(me)
        try:
            while True:
                wait = moments[-rate] + per - time.perf_counter() if len(moments) >= rate else 0
                if wait <= 0 and (len(moments) < rate or waiting[-1] is me):
                    break
                await asyncio.sleep(max(wait, 0.001))
        finally:
            waiting.remove(me)
        moments.append(time.perf_counter())

    return acquire


def sleeps_on_the_loop(rate, per):
    """held the event loop"""
    moments = []

    async def acquire():
        if len(moments) >= rate:
            time.sleep(round(max(0, moments[-rate] + per - time.perf_counter()), 2))
        moments.append(time.perf_counter())

    return acquire


def swallows_the_cancellation(rate, per):
    """was cancelled while it waited, and went on"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        try:
            async with lock:
                while len(moments) >= rate and moments[-rate] + per > time.perf_counter():
                    await asyncio.sleep(moments[-rate] + per - time.perf_counter())
                moments.append(time.perf_counter())
        except asyncio.CancelledError:
            pass

    return acquire


def lock_not_given_back(rate, per):
    """What they held, and nothing else, they must give back"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        await lock.acquire()
        while len(moments) >= rate and moments[-rate] + per > time.perf_counter():
            await asyncio.sleep(moments[-rate] + per - time.perf_counter())
        moments.append(time.perf_counter())
        lock.release()

    return acquire


def returns_nothing(rate, per):
    """return the function `acquire`"""

    async def acquire():
        await asyncio.sleep(per / rate)


def returns_a_coroutine(rate, per):
    """without brackets"""

    async def acquire():
        await asyncio.sleep(per / rate)

    return acquire()


async def async_def_make_limiter(rate, per):
    """Begin it with `def make_limiter(rate, per):`"""

    async def acquire():
        await asyncio.sleep(per / rate)

    return acquire


def plain_acquire(rate, per):
    """Define it with `async def`"""

    def acquire():
        return None

    return acquire


def without_nonlocal(rate, per):
    """Say `nonlocal last` at the beginning"""
    last = 0

    async def acquire():
        await asyncio.sleep(last + per - time.perf_counter())
        last = time.perf_counter()

    return acquire


def without_import(rate, per):
    """`deque` has to be imported"""
    moments = deque(maxlen=rate)

    async def acquire():
        moments.append(time.perf_counter())

    return acquire


_moments = []


def moments_of_all_limiters(rate, per):
    """beside a second one it is not: make all that it remembers inside `make_limiter`"""
    lock = asyncio.Lock()

    async def acquire():
        async with lock:
            while len(_moments) >= rate and (wait := _moments[-rate] + per - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            _moments.append(time.perf_counter())

    return acquire


def moments_as_a_default(rate, per, moments=[]):
    """beside a second one it is not: make all that it remembers inside `make_limiter`"""
    lock = asyncio.Lock()

    async def acquire():
        async with lock:
            while len(moments) >= rate and (wait := moments[-rate] + per - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            moments.append(time.perf_counter())

    return acquire


def lock_of_all_limiters(rate, per, lock=asyncio.Lock()):
    """beside a second one it is not: make all that it remembers inside `make_limiter`"""
    moments = []

    async def acquire():
        async with lock:
            while len(moments) >= rate and (wait := moments[-rate] + per - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            moments.append(time.perf_counter())

    return acquire


def settings_of_the_last_one(rate, per):
    """beside a second one it is not: make all that it remembers inside `make_limiter`"""
    global _rate, _per
    _rate, _per = rate, per
    moments, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            while len(moments) >= _rate and (wait := moments[-_rate] + _per - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            moments.append(time.perf_counter())

    return acquire


def polls_every_20_ms(rate, per):
    """Sleep until the oldest of the last `rate` moments is `per` old, and no longer"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            while len([moment for moment in moments if time.perf_counter() - moment < per]) >= rate:
                await asyncio.sleep(0.02)
            moments.append(time.perf_counter())

    return acquire


def windows_that_begin_anew(rate, per):
    """3 went on within"""
    count, end, lock = 0, 0, asyncio.Lock()

    async def acquire():
        nonlocal count, end
        async with lock:
            now = time.perf_counter()
            if now >= end:
                count, end = 0, now + per
            elif count >= rate:
                await asyncio.sleep(end - now)
                count, end = 0, time.perf_counter() + per
            count += 1

    return acquire


def semaphore_left_at_once(rate, per):
    """3 went on within"""
    places = asyncio.Semaphore(rate)

    async def acquire():
        async with places:
            pass

    return acquire


def sleeps_with_its_place(rate, per):
    """None had gone on in the"""
    places = asyncio.Semaphore(rate)

    async def acquire():
        async with places:
            await asyncio.sleep(per)

    return acquire


def one_too_many(rate, per):
    """3 went on within"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            now = time.perf_counter()
            recent = [moment for moment in moments if now - moment < per]
            if len(recent) > rate:
                await asyncio.sleep(recent[0] + per - now)
            moments.append(time.perf_counter())

    return acquire


def one_too_few(rate, per):
    """later than it could have"""
    moments, lock = [0.0], asyncio.Lock()

    async def acquire():
        async with lock:
            last = moments[-rate + 1 :][0]
            await asyncio.sleep(last + per - time.perf_counter())
            moments.append(time.perf_counter())

    return acquire


def refilled_at_a_fixed_beat(rate, per):
    """3 went on within"""
    places = asyncio.Semaphore(rate)

    async def refill():
        while True:
            await asyncio.sleep(per)
            while places._value < rate:
                places.release()

    task = asyncio.create_task(refill())

    async def acquire():
        assert not task.done()
        await places.acquire()

    return acquire


def raises_instead_of_waiting(rate, per):
    """raised RuntimeError (too fast)"""
    moments = []

    async def acquire():
        now = time.perf_counter()
        if len(moments) >= rate and now - moments[-rate] < per:
            raise RuntimeError("too fast")
        moments.append(now)

    return acquire


def pauses_after_noting(rate, per):
    """Others gave up before it: note a moment only when its caller goes on"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            while len(moments) >= rate and (wait := moments[-rate] + per - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            moments.append(time.perf_counter())
            await asyncio.sleep(0)

    return acquire


def notes_those_who_give_up(rate, per):
    """Others gave up before it: note a moment only when its caller goes on"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            try:
                while len(moments) >= rate and (wait := moments[-rate] + per - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
            finally:
                moments.append(time.perf_counter())

    return acquire


def gives_back_what_it_never_held(rate, per):
    """What they held, and nothing else, they must give back"""
    places = asyncio.Semaphore(rate)

    async def acquire():
        try:
            await places.acquire()
        except asyncio.CancelledError:
            places.release()
            raise
        asyncio.get_running_loop().call_later(per, places.release)

    return acquire


def does_not_await_the_sleep(rate, per):
    """called sleep() and never awaited it"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            if len(moments) >= rate:
                asyncio.sleep(moments[-rate] + per - time.perf_counter())
            moments.append(time.perf_counter())

    return acquire


def lock_without_async(rate, per):
    """Write `async with`, not `with`"""
    moments, lock = [], asyncio.Lock()

    async def acquire():
        with lock:
            moments.append(time.perf_counter())

    return acquire


def queue_of_places(rate, per):
    """Let them stand in line"""
    places = asyncio.Queue()
    for _ in range(rate):
        places.put_nowait(None)

    async def acquire():
        await places.get()
        asyncio.get_running_loop().call_later(per, places.put_nowait, None)

    return acquire


def notes_when_it_wakes_the_next(rate, per):
    """not when it was due or was woken"""
    went, waiting, timer = [], [], None

    def wake():
        nonlocal timer
        timer, now = None, time.perf_counter()
        while waiting and (len(went) < rate or now - went[-rate] >= per):
            turn = waiting.pop(0)
            if not turn.done():
                turn.set_result(None)
                went.append(now)
        if waiting:
            timer = asyncio.get_running_loop().call_later(went[-rate] + per - now, wake)

    async def acquire():
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        if timer is None:
            wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                went.pop()
                if timer is not None:
                    timer.cancel()
                wake()
            raise

    return acquire


def places_given_back_by_a_timer(rate, per):
    places = asyncio.Semaphore(rate)

    async def acquire():
        await places.acquire()
        asyncio.get_running_loop().call_later(per, places.release)

    return acquire


def lock_and_one_sleep(rate, per):
    moments, lock = [], asyncio.Lock()

    async def acquire():
        await lock.acquire()
        try:
            if len(moments) >= rate:
                await asyncio.sleep(moments[-rate] + per - time.monotonic())
            moments.append(time.monotonic())
        finally:
            lock.release()

    return acquire


def line_of_futures(rate, per):
    went, waiting = [], []

    async def acquire():
        loop = asyncio.get_running_loop()
        me = loop.create_future()
        waiting.append(me)
        try:
            if waiting[0] is not me:
                await me
            while len(went) >= rate and went[0] + per > loop.time():
                await asyncio.sleep(went[0] + per - loop.time())
            if len(went) >= rate:
                del went[0]
            went.append(loop.time())
        finally:
            first = waiting[0] is me
            waiting.remove(me)
            if first and waiting and not waiting[0].done():
                waiting[0].set_result(None)

    return acquire


class _Limiter:
    def __init__(self, rate, per):
        self.moments, self.rate, self.per, self.lock = [0.0] * rate, rate, per, asyncio.Lock()

    async def acquire(self):
        async with self.lock:
            while time.perf_counter() < self.moments[-self.rate] + self.per:
                await asyncio.sleep(0.002)
            self.moments.append(time.perf_counter())


def polls_every_2_ms(rate, per):
    return _Limiter(rate, per).acquire


def lock_around_the_stub(rate, per):
    moments, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            now = time.time()
            recent = [moment for moment in moments if now - moment < per]
            if len(recent) >= rate:
                await asyncio.sleep(recent[0] + per - now)
            moments.append(time.time())

    return acquire


class _Callable:
    def __init__(self, rate, per):
        self.went, self.rate, self.per, self.lock = collections.deque(), rate, per, asyncio.Lock()

    async def __call__(self):
        async with self.lock:
            while True:
                now = asyncio.get_running_loop().time()
                while self.went and now - self.went[0] >= self.per:
                    self.went.popleft()
                if len(self.went) < self.rate:
                    break
                await asyncio.sleep(self.went[0] + self.per - now)
            self.went.append(now)


def object_that_is_called(rate, per):
    return _Callable(rate, per)


def sleeps_in_a_thread(rate, per):
    moments, lock = [], asyncio.Lock()

    async def acquire():
        async with lock:
            while len(moments) >= rate and (wait := moments[-rate] + per - time.perf_counter()) > 0:
                await asyncio.to_thread(time.sleep, wait)
            moments.append(time.perf_counter())

    return acquire


def task_gives_places_back(rate, per):
    places, tasks = asyncio.BoundedSemaphore(rate), set()

    async def give_back():
        await asyncio.sleep(per)
        places.release()

    async def acquire():
        await places.acquire()
        task = asyncio.create_task(give_back())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return acquire


def two_whatever_the_rate(rate, per):
    """Only 2 had gone on in the"""
    moments, lock = collections.deque(maxlen=2), asyncio.Lock()

    async def acquire():
        async with lock:
            while len(moments) == 2 and (wait := moments[0] + per - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            moments.append(time.perf_counter())

    return acquire


def semaphore_given_back_too_soon(rate, per):
    """caller 3 went on 2 ms too soon."""
    places = asyncio.Semaphore(rate)

    async def acquire():
        await places.acquire()
        asyncio.get_running_loop().call_later(per * 0.98, places.release)

    return acquire
