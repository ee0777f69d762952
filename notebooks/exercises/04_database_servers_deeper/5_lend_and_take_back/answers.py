"""Answers to exercise 4.5. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import collections
import contextlib
from contextlib import AsyncExitStack, asynccontextmanager


def no_limit(connect, limit):
    """3 connections were open at once, where 2 are allowed. Let each caller first take a place in a semaphore"""
    idle = []

    @asynccontextmanager
    async def lend():
        connection = idle.pop() if idle else await connect()
        try:
            yield connection
        finally:
            if connection.is_broken:
                connection.terminate()
            else:
                idle.append(connection)

    return lend


def one_too_many(connect, limit):
    """3 connections were open at once, where 2 are allowed"""
    places, idle = asyncio.Semaphore(limit + 1), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


def one_at_a_time(connect, limit):
    """ms, with 1 in use where 2 may be. Let it go on as soon as there is a place"""
    lock, idle = asyncio.Lock(), []

    @asynccontextmanager
    async def lend():
        async with lock:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


def semaphore_for_each_caller(connect, limit):
    """3 connections were open at once, where 2 are allowed"""
    idle = []

    @asynccontextmanager
    async def lend():
        async with asyncio.Semaphore(limit):
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


def counts_those_that_are_open_alone(connect, limit):
    """connections were open at once, where"""
    idle, waiting, opened = [], collections.deque(), []

    @asynccontextmanager
    async def lend():
        while not idle and len(opened) >= limit:
            waiting.append(asyncio.get_running_loop().create_future())
            await waiting[-1]
        if idle:
            connection = idle.pop()
        else:
            connection = await connect()
            opened.append(connection)
        try:
            yield connection
        finally:
            if connection.is_broken:
                connection.terminate()
                opened.remove(connection)
            else:
                idle.append(connection)
            if waiting:
                waiting.popleft().set_result(None)

    return lend


def place_given_back_before_the_block(connect, limit):
    """3 connections were open at once, where 2 are allowed"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
        try:
            yield connection
        finally:
            if connection.is_broken:
                connection.terminate()
            else:
                idle.append(connection)

    return lend


def place_lost_after_an_error(connect, limit):
    """the block of caller 2 ended by an error, and then"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        await places.acquire()
        try:
            connection = idle.pop() if idle else await connect()
        except BaseException:
            places.release()
            raise
        yield connection
        if connection.is_broken:
            connection.terminate()
        else:
            idle.append(connection)
        places.release()

    return lend


def place_lost_after_a_cancellation(connect, limit):
    """the block of caller 2 ended cancelled, and then"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        await places.acquire()
        try:
            connection = idle.pop() if idle else await connect()
        except BaseException:
            places.release()
            raise
        error = None
        try:
            yield connection
        except Exception as caught:
            error = caught
        if connection.is_broken:
            connection.terminate()
        else:
            idle.append(connection)
        places.release()
        if error:
            raise error

    return lend


def place_lost_when_connect_raises(connect, limit):
    """`connect` raised an error for caller 1, and then"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        await places.acquire()
        connection = idle.pop() if idle else await connect()
        try:
            yield connection
        finally:
            if connection.is_broken:
                connection.terminate()
            else:
                idle.append(connection)
            places.release()

    return lend


def place_lost_when_connect_is_cancelled(connect, limit):
    """`connect` was cancelled for caller"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        await places.acquire()
        try:
            connection = idle.pop() if idle else await connect()
        except Exception:
            places.release()
            raise
        try:
            yield connection
        finally:
            if connection.is_broken:
                connection.terminate()
            else:
                idle.append(connection)
            places.release()

    return lend


def place_given_back_by_who_has_none(connect, limit):
    """connections were open at once, where"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        connection = None
        try:
            await places.acquire()
            connection = idle.pop() if idle else await connect()
            yield connection
        finally:
            if connection is not None:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)
            places.release()

    return lend


def always_a_new_one(connect, limit):
    """connections were open at once, where 2 are allowed"""
    places = asyncio.Semaphore(limit)

    @asynccontextmanager
    async def lend():
        async with places:
            connection = await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()

    return lend


def terminates_every_one(connect, limit):
    """connection 1 was in good order, and was terminated. Lend it to the next caller"""
    places = asyncio.Semaphore(limit)

    @asynccontextmanager
    async def lend():
        async with places:
            connection = await connect()
            try:
                yield connection
            finally:
                connection.terminate()

    return lend


def terminates_after_an_error(connect, limit):
    """was in good order, and was terminated"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            except BaseException:
                connection.terminate()
                raise
            else:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


def broken_ones_lent_again(connect, limit):
    """broken, and it stayed open. Call its `terminate()`, at once"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                idle.append(connection)

    return lend


def broken_ones_dropped(connect, limit):
    """broken, and it stayed open. Call its `terminate()`, at once"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if not connection.is_broken:
                    idle.append(connection)

    return lend


def broken_ones_terminated_and_lent_again(connect, limit):
    """which was broken. Lend it never again"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                idle.append(connection)

    return lend


def looks_when_it_lends(connect, limit):
    """broken, and it stayed open. Call its `terminate()`, at once"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            while idle and idle[-1].is_broken:
                idle.pop().terminate()
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                idle.append(connection)

    return lend


def looks_after_good_blocks_alone(connect, limit):
    """broken, and it stayed open"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
                if connection.is_broken:
                    connection.terminate()
            finally:
                if connection.is_open:
                    idle.append(connection)

    return lend


def new_one_for_a_broken_one_at_once(connect, limit):
    """another connection was opened while"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                    connection = await connect()
                idle.append(connection)

    return lend


def terminate_awaited(connect, limit):
    """`connection.terminate()` takes no time: call it without `await`"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    await connection.terminate()
                else:
                    idle.append(connection)

    return lend


def lent_to_two(connect, limit):
    """was lent connection 1, which caller 1 still used"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            if not idle:
                idle.append(await connect())
            connection = idle[0]
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                    idle.remove(connection)

    return lend


def last_come_first_served(connect, limit):
    """and went on before it. Let them stand in line, as a semaphore does"""
    idle, waiting, free = [], [], limit

    @asynccontextmanager
    async def lend():
        nonlocal free
        if not free:
            place = asyncio.get_running_loop().create_future()
            waiting.append(place)
            try:
                await place
            except BaseException:
                if place in waiting:
                    waiting.remove(place)
                else:
                    leave()
                raise
        else:
            free -= 1
        try:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)
        finally:
            leave()

    def leave():
        nonlocal free
        if waiting:
            waiting.pop().set_result(None)
        else:
            free += 1

    return lend


def place_handed_to_who_was_cancelled(connect, limit):
    """However a caller ends, its place is free at once"""
    idle, waiting, free = [], collections.deque(), limit

    def leave():
        nonlocal free
        while waiting:
            place = waiting.popleft()
            if not place.done():
                return place.set_result(None)
        free += 1

    @asynccontextmanager
    async def lend():
        nonlocal free
        if not free:
            waiting.append(asyncio.get_running_loop().create_future())
            await waiting[-1]
        else:
            free -= 1
        try:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)
        finally:
            leave()

    return lend


def error_replaced(connect, limit):
    """function raised RuntimeError (the connection failed)"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            except Exception as error:
                raise RuntimeError("the connection failed") from error
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


def looks_now_and_then(connect, limit):
    """ms, with 1 in use where 2 may be"""
    idle, used = [], 0

    @asynccontextmanager
    async def lend():
        nonlocal used
        while used == limit:
            await asyncio.sleep(0.03)
        used += 1
        try:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)
        finally:
            used -= 1

    return lend


def error_swallowed(connect, limit):
    """raised an error, which was swallowed. Let it out"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            except Exception as error:
                print(error)
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


def cancellation_swallowed(connect, limit):
    """was cancelled, and went on as if it were not. Let `CancelledError` out"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            except asyncio.CancelledError:
                pass
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


_idle = []


def idle_ones_of_all_pools(connect, limit):
    """was given a connection of another pool"""
    places = asyncio.Semaphore(limit)

    @asynccontextmanager
    async def lend():
        async with places:
            connection = _idle.pop() if _idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    _idle.append(connection)

    return lend


def nothing_to_use(connect, limit):
    """caller 1 was given `None` instead of a connection"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


def lend_called(connect, limit):
    """`make_pool` has called `lend`. Return the function itself"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend()


def nothing_returned(connect, limit):
    """what `make_pool` returns is a `NoneType`, and cannot be called"""


def decorator_forgotten(connect, limit):
    """stands a plain generator: write `@contextlib.asynccontextmanager`"""
    places, idle = asyncio.Semaphore(limit), []

    async def lend():
        async with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


def plain_with(connect, limit):
    """Write `async with`, not `with`"""
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        with places:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


class _Lent:
    def __init__(self, connect, places, idle):
        self.connect, self.places, self.idle = connect, places, idle

    async def __aenter__(self):
        await self.places.acquire()
        try:
            self.connection = self.idle.pop() if self.idle else await self.connect()
        except BaseException:
            self.places.release()
            raise
        return self.connection

    async def __aexit__(self, exc_type, error, traceback):
        if self.connection.is_broken:
            self.connection.terminate()
        else:
            self.idle.append(self.connection)
        self.places.release()


def class_for_what_is_lent(connect, limit):
    places, idle = asyncio.Semaphore(limit), []
    return lambda: _Lent(connect, places, idle)


class _Pool:
    def __init__(self, connect, limit):
        self.connect, self.places, self.idle = connect, asyncio.BoundedSemaphore(limit), collections.deque()

    @asynccontextmanager
    async def lend(self):
        async with self.places:
            connection = self.idle.popleft() if self.idle else await self.connect()
            try:
                yield connection
            finally:
                if not connection.is_broken:
                    self.idle.append(connection)
                else:
                    connection.terminate()


def class_for_the_pool(connect, limit):
    return _Pool(connect, limit).lend


def queue_of_places(connect, limit):
    """another connection was opened while"""
    places = asyncio.LifoQueue()
    for _ in range(limit):
        places.put_nowait(None)

    @asynccontextmanager
    async def lend():
        connection = await places.get()
        try:
            if connection is None:
                connection = await connect()
            yield connection
        finally:
            if connection is not None and connection.is_broken:
                connection.terminate()
                connection = None
            places.put_nowait(connection)

    return lend


def queue_of_places_in_which_the_open_ones_come_first(connect, limit):
    places = asyncio.PriorityQueue()
    for number in range(limit):
        places.put_nowait((1, number, None))

    @asynccontextmanager
    async def lend():
        _, number, connection = await places.get()
        try:
            if connection is None:
                connection = await connect()
            yield connection
        finally:
            if connection is not None and connection.is_broken:
                connection.terminate()
                connection = None
            places.put_nowait((connection is None, number, connection))

    return lend


def opened_in_a_task(connect, limit):
    places, idle = asyncio.Semaphore(limit), []

    @asynccontextmanager
    async def lend():
        async with places:
            if not idle:
                opening = asyncio.create_task(connect())
                opening.add_done_callback(
                    lambda _: opening.cancelled() or opening.exception() or idle.append(opening.result())
                )
                await opening
            connection = idle.pop()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)

    return lend


def exit_stack(connect, limit):
    places, idle = asyncio.Semaphore(limit), []

    def take_back(connection):
        if connection.is_broken:
            connection.terminate()
        else:
            idle.append(connection)

    @asynccontextmanager
    async def lend():
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(places)
            connection = idle.pop() if idle else await connect()
            stack.callback(take_back, connection)
            yield connection

    return lend


def places_acquired_and_released(connect, limit):
    places, idle = asyncio.Semaphore(limit), []

    @contextlib.asynccontextmanager
    async def lend():
        await places.acquire()
        connection = None
        try:
            connection = idle.pop(0) if idle else await connect()
            yield connection
        finally:
            if connection is not None:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)
            places.release()

    return lend


def queue_for_the_idle_ones(connect, limit):
    places, idle = asyncio.Semaphore(limit), asyncio.Queue()

    @asynccontextmanager
    async def lend():
        async with places:
            try:
                connection = idle.get_nowait()
            except asyncio.QueueEmpty:
                connection = await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.put_nowait(connection)

    return lend


def condition(connect, limit):
    idle, turn, used = [], asyncio.Lock(), 0
    free = asyncio.Event()

    @asynccontextmanager
    async def lend():
        nonlocal used
        async with turn:
            while used == limit:
                free.clear()
                await free.wait()
            used += 1
        try:
            connection = idle.pop() if idle else await connect()
            try:
                yield connection
            finally:
                if connection.is_broken:
                    connection.terminate()
                else:
                    idle.append(connection)
        finally:
            used -= 1
            free.set()

    return lend
