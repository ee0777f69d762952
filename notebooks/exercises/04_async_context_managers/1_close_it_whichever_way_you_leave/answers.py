"""Answers to exercise 4.1. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib
from contextlib import AsyncExitStack, asynccontextmanager


async def _to_its_end(coroutine):
    task, cancelled = asyncio.create_task(coroutine), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled
    return task.result()


def closed_at_the_end_alone(connect):
    """the block was left by an error, and `close` was never called"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        yield connection
        await _to_its_end(connection.close())

    return manager()


def closed_after_an_error_alone(connect):
    """the block was left at its end, and `close` was never called"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        except BaseException:
            await _to_its_end(connection.close())
            raise

    return manager()


def closed_unless_cancelled(connect):
    """the time was up while in the block, and `close` was never called"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        except Exception:
            await _to_its_end(connection.close())
            raise
        else:
            await _to_its_end(connection.close())

    return manager()


def closed_after_the_errors_it_knows(connect):
    """the block was left by an error, and `close` was never called"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        except (ValueError, OSError, asyncio.CancelledError):
            await _to_its_end(connection.close())
            raise
        else:
            await _to_its_end(connection.close())

    return manager()


def never_closed(connect):
    """the block was left at its end, and `close` was never called"""

    class Connected:
        async def __aenter__(self):
            return await connect()

        async def __aexit__(self, exc_type, error, traceback):
            pass

    return Connected()


def close_not_awaited(connect):
    """called close() and never awaited it"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            connection.close()

    return manager()


def close_can_be_cancelled(connect):
    """`close` was cut short, and the connection stayed open. Let `close()` run in a task of its own"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            await connection.close()

    return manager()


def close_can_be_cancelled_in_a_class(connect):
    """`close` was cut short, and the connection stayed open. Let `close()` run in a task of its own"""

    class Connected:
        async def __aenter__(self):
            self.connection = await connect()
            return self.connection

        async def __aexit__(self, exc_type, error, traceback):
            await self.connection.close()

    return Connected()


def task_that_is_cancelled_with_it(connect):
    """while closing, `close` was cut short"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            await asyncio.create_task(connection.close())

    return manager()


def task_in_a_group(connect):
    """while closing, `close` was cut short"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            async with asyncio.TaskGroup() as group:
                group.create_task(connection.close())

    return manager()


def unprotected_after_a_cancellation(connect):
    """cancelled while in the block and again while closing, `close` was cut short"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        except asyncio.CancelledError:
            await connection.close()
            raise
        except BaseException:
            await _to_its_end(connection.close())
            raise
        else:
            await _to_its_end(connection.close())

    return manager()


def shield_alone(connect):
    """`async with` ended while `close` was still under way. Your wait was cut short, and the task goes on"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            await asyncio.shield(connection.close())

    return manager()


def task_that_nobody_awaits(connect):
    """`async with` ended while `close` was still under way. Await it to its end"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            closing = asyncio.create_task(connection.close())
            await asyncio.sleep(0)
            del closing

    return manager()


def sleeps_instead_of_waiting(connect):
    """`async with` ended while `close` was still under way"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            closing = asyncio.create_task(connection.close())
            await asyncio.wait([closing], timeout=0.01)

    return manager()


def closed_in_two_places(connect):
    """the block was left by an error, and `close` was called twice"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        except BaseException:
            await _to_its_end(connection.close())
            raise
        finally:
            await _to_its_end(connection.close())

    return manager()


def closed_again_when_cancelled(connect):
    """while closing, and `close` was called twice"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            try:
                await connection.close()
            except asyncio.CancelledError:
                await connection.close()
                raise

    return manager()


def error_swallowed_by_a_class(connect):
    """the block was left by an error, and the error was swallowed"""

    class Connected:
        async def __aenter__(self):
            self.connection = await connect()
            return self.connection

        async def __aexit__(self, exc_type, error, traceback):
            await _to_its_end(self.connection.close())
            return True

    return Connected()


def error_swallowed_by_an_except(connect):
    """the block was left by an error, and the error was swallowed"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        except Exception as error:
            print(error)
        finally:
            await _to_its_end(connection.close())

    return manager()


def cancellation_swallowed(connect):
    """the time was up while in the block, and the error was swallowed"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        except asyncio.CancelledError:
            pass
        finally:
            await _to_its_end(connection.close())

    return manager()


def cancellation_swallowed_while_closing(connect):
    """the time was up while closing, and the error was swallowed"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            closing = asyncio.create_task(connection.close())
            while not closing.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(closing)

    return manager()


def error_replaced(connect):
    """the block was left by an error, and another error got out. Your function raised RuntimeError"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        except Exception as error:
            raise RuntimeError("the connection failed") from error
        finally:
            await _to_its_end(connection.close())

    return manager()


def connects_inside_the_try(connect):
    """your function closes a connection that it does not have. If `connect` raises or is cancelled"""

    @contextlib.asynccontextmanager
    async def manager():
        try:
            connection = await connect()
            yield connection
        finally:
            await _to_its_end(connection.close())

    return manager()


def closes_nothing_when_connect_fails(connect):
    """your function closes a connection that it does not have"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = None
        try:
            connection = await connect()
            yield connection
        finally:
            await _to_its_end(connection.close())

    return manager()


def yields_none_when_connect_fails(connect):
    """`connect` raised, and the block ran without a connection"""

    @contextlib.asynccontextmanager
    async def manager():
        try:
            connection = await connect()
        except Exception:
            yield None
            return
        try:
            yield connection
        finally:
            await _to_its_end(connection.close())

    return manager()


def connecting_in_a_task_that_is_left(connect):
    """while connecting, and the connection was opened and never closed"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await _to_its_end(connect())
        try:
            yield connection
        finally:
            await _to_its_end(connection.close())

    return manager()


def connecting_behind_a_shield(connect):
    """still running"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await asyncio.shield(connect())
        try:
            yield connection
        finally:
            await _to_its_end(connection.close())

    return manager()


def connects_again_to_close(connect):
    """`connect` was called twice"""

    class Connected:
        async def __aenter__(self):
            return await connect()

        async def __aexit__(self, exc_type, error, traceback):
            connection = await connect()
            await _to_its_end(connection.close())

    return Connected()


def nothing_to_use(connect):
    """after `as`, the block had `None` and no connection"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield
        finally:
            await _to_its_end(connection.close())

    return manager()


def gives_itself(connect):
    """after `as`, the block had `Connected` and no connection"""

    class Connected:
        async def __aenter__(self):
            self.connection = await connect()
            return self

        async def __aexit__(self, exc_type, error, traceback):
            await _to_its_end(self.connection.close())

    return Connected()


def connect_not_awaited(connect):
    """the block ran, and `connect()` was never awaited"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = connect()
        yield connection

    return manager()


def closed_too_early(connect):
    """the connection was closed while the block used it"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        await _to_its_end(connection.close())
        yield connection

    return manager()


def decorator_forgotten(connect):
    """stands a plain generator: write `@contextlib.asynccontextmanager`"""

    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            await _to_its_end(connection.close())

    return manager()


def manager_not_called(connect):
    """stands a `function`, which is no async context manager"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            await _to_its_end(connection.close())

    return manager


async def async_def_around_it(connect):
    """stands a coroutine. Define the function that gives the manager with `def`"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            await _to_its_end(connection.close())

    return manager()


def nothing_returned(connect):
    """stands a `NoneType`"""

    @contextlib.asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            await _to_its_end(connection.close())


def ordinary_manager(connect):
    """stands a `_GeneratorContextManager`, which is no async context manager"""

    @contextlib.contextmanager
    def manager():
        connection = connect()
        try:
            yield connection
        finally:
            connection.close()

    return manager()


async def _finish(job, stop=lambda: None):
    """Return what the job gives, when it has ended: as chapter 4 does it."""
    try:
        await asyncio.wait([job])
    finally:
        while not job.done():
            stop()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([job])
        job.exception()
    return job.result()


def finish_as_in_the_chapter(connect):
    @asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            await _finish(asyncio.create_task(connection.close()))

    return manager()


def waits_in_a_loop(connect):
    @asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            await _to_its_end(connection.close())

    return manager()


def shield_and_one_more_wait(connect):
    @asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            closing = asyncio.create_task(connection.close())
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                await closing
                raise

    return manager()


def class_with_a_shield(connect):
    class Connected:
        async def __aenter__(self):
            self.connection = await connect()
            return self.connection

        async def __aexit__(self, exc_type, error, traceback):
            closing = asyncio.create_task(self.connection.close())
            try:
                await asyncio.shield(closing)
            finally:
                await closing

    return Connected()


class _Connected:
    def __init__(self, connect):
        self.connect, self.connection = connect, None

    async def __aenter__(self):
        self.connection = await self.connect()
        return self.connection

    async def __aexit__(self, *_):
        if self.connection is not None:
            await _to_its_end(self.connection.close())
        return False


def class_outside(connect):
    return _Connected(connect)


@asynccontextmanager
async def generator_function(connect):
    connection = await connect()
    try:
        yield connection
    finally:
        closing = asyncio.ensure_future(connection.close())
        try:
            await asyncio.wait([closing])
        finally:
            await closing


def exit_stack(connect):
    @asynccontextmanager
    async def manager():
        async with AsyncExitStack() as stack:
            connection = await connect()
            stack.push_async_callback(lambda: _to_its_end(connection.close()))
            yield connection

    return manager()


def in_each_way_by_itself(connect):
    @asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        except BaseException:
            await _to_its_end(connection.close())
            raise
        else:
            await _to_its_end(connection.close())

    return manager()


def nothing_to_close_after_a_failure(connect):
    @asynccontextmanager
    async def manager():
        connection = None
        try:
            connection = await connect()
            yield connection
        finally:
            if connection is not None:
                await _to_its_end(connection.close())

    return manager()


def error_kept_and_raised_again(connect):
    class Connected:
        async def __aenter__(self):
            self.connection = await connect()
            return self.connection

        async def __aexit__(self, exc_type, error, traceback):
            await _to_its_end(self.connection.close())
            if error is not None:
                raise error

    return Connected()


def connects_to_the_end_first(connect):
    @asynccontextmanager
    async def manager():
        opening = asyncio.create_task(connect())
        try:
            connection = await asyncio.shield(opening)
        except asyncio.CancelledError:
            connection = await opening
            await _to_its_end(connection.close())
            raise
        try:
            yield connection
        finally:
            await _to_its_end(connection.close())

    return manager()


def event_tells_that_it_is_closed(connect):
    @asynccontextmanager
    async def manager():
        connection = await connect()
        closed = asyncio.Event()

        async def close():
            await connection.close()
            closed.set()

        try:
            yield connection
        finally:
            closing = asyncio.create_task(close())
            try:
                await closed.wait()
            except asyncio.CancelledError:
                await closed.wait()
                raise
            finally:
                await closing

    return manager()


def coroutine_in_finish(connect):
    """`finish` takes a task"""

    @asynccontextmanager
    async def manager():
        connection = await connect()
        try:
            yield connection
        finally:
            await _finish(connection.close())

    return manager()


def no_yield(connect):
    """the function needs a `yield`"""

    @asynccontextmanager
    async def manager():
        return await connect()

    return manager()
