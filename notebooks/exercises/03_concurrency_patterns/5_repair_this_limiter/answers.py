"""Answers to exercise 3.5. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import time


def wrong_1(rate, per):
    """note those after the sleep, not before"""
    moments, lock = [], asyncio.Lock()
    async def acquire():
        async with lock:
            now = time.perf_counter()
            recent = [moment for moment in moments if now - moment < per]
            if len(recent) >= rate:
                await asyncio.sleep(recent[0] + per - now)
            moments.append(now)
    return acquire


def wrong_2(rate, per):
    """All who wait wake at once, and none looks again"""
    moments = []
    async def acquire():
        now = time.perf_counter()
        recent = [moment for moment in moments if now - moment < per]
        if len(recent) >= rate:
            await asyncio.sleep(recent[-rate] + per - now)
        moments.append(time.perf_counter())
    return acquire


def wrong_3(rate, per):
    """3 went on within"""
    async def acquire():
        pass
        await asyncio.sleep(0)
    return acquire


def wrong_4(rate, per):
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


def wrong_5(rate, per):
    """Do not spread them out"""
    last, lock = 0, asyncio.Lock()
    async def acquire():
        nonlocal last
        async with lock:
            while (wait := last + per / rate - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            last = time.perf_counter()
    return acquire


def wrong_6(rate, per):
    """Sleep until the oldest of the last 2 moments is `per` old"""
    moments, lock = [], asyncio.Lock()
    async def acquire():
        async with lock:
            now = time.perf_counter()
            if len([moment for moment in moments if now - moment < per]) >= rate:
                await asyncio.sleep(per)
            moments.append(time.perf_counter())
    return acquire


def wrong_7(rate, per):
    """Others gave up before it"""
    slots = []
    async def acquire():
        now = time.perf_counter()
        slots.append(max(now, slots[-rate] + per) if len(slots) >= rate else now)
        await asyncio.sleep(slots[-1] - now)
    return acquire


def wrong_8(rate, per):
    """not when it was due or was woken"""
    went, waiting, lock = [], [], asyncio.Lock()
    async def acquire():
        async with lock:
            now = time.perf_counter()
            due = max(now, went[-rate] + per) if len(went) >= rate else now
            await asyncio.sleep(due - now)
            went.append(due)
    return acquire


def wrong_9(rate, per):
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
        await turn
    return acquire


def wrong_10(rate, per):
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


def wrong_11(rate, per):
    """caller 6 asked after caller 3, and went on before"""
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


def wrong_12(rate, per):
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


def wrong_13(rate, per):
    """holds the event loop, and everybody with it"""
    moments = []
    async def acquire():
        if len(moments) >= rate:
            time.sleep(round(max(0, moments[-rate] + per - time.perf_counter()), 2))
        moments.append(time.perf_counter())
    return acquire


def wrong_14(rate, per):
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


def wrong_15(rate, per):
    """what they held, they must give back"""
    moments, lock = [], asyncio.Lock()
    async def acquire():
        await lock.acquire()
        while len(moments) >= rate and moments[-rate] + per > time.perf_counter():
            await asyncio.sleep(moments[-rate] + per - time.perf_counter())
        moments.append(time.perf_counter())
        lock.release()
    return acquire


def wrong_16(rate, per):
    """Return the function `acquire`"""
    async def acquire():
        await asyncio.sleep(per / rate)


def wrong_17(rate, per):
    """return `acquire` without brackets"""
    async def acquire():
        await asyncio.sleep(per / rate)
    return acquire()


async def wrong_18(rate, per):
    """Begin it with `def make_limiter(rate, per):`"""
    async def acquire():
        await asyncio.sleep(per / rate)
    return acquire


def wrong_19(rate, per):
    """Define it with `async def`"""
    def acquire():
        return None
    return acquire


def wrong_20(rate, per):
    """Say `nonlocal last` at the beginning"""
    last = 0
    async def acquire():
        await asyncio.sleep(last + per - time.perf_counter())
        last = time.perf_counter()
    return acquire


def wrong_21(rate, per):
    """`deque` has to be imported"""
    moments = deque(maxlen=rate)
    async def acquire():
        moments.append(time.perf_counter())
    return acquire


def right_1(rate, per):
    places = asyncio.Semaphore(rate)
    async def acquire():
        await places.acquire()
        asyncio.get_running_loop().call_later(per, places.release)
    return acquire


def right_2(rate, per):
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


def right_3(rate, per):
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


class Limiter:
    def __init__(self, rate, per):
        self.moments, self.rate, self.per, self.lock = [0.0] * rate, rate, per, asyncio.Lock()
    async def acquire(self):
        async with self.lock:
            while time.perf_counter() < self.moments[-self.rate] + self.per:
                await asyncio.sleep(0.002)
            self.moments.append(time.perf_counter())

def right_4(rate, per):
    return Limiter(rate, per).acquire
