"""Answers to exercise 6.2. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import contextlib

_LATE = False, "Operation timed out"


async def any_time_out_is_mine(operation, seconds):
    """the operation raised a TimeoutError, and you returned `(False, 'Operation timed out')`"""
    try:
        async with asyncio.timeout(seconds):
            return True, await operation()
    except TimeoutError:
        return _LATE


async def its_own_is_plain_or_it_is_not_mine(operation, seconds):
    """Your clock had not run out. Let the error out as it is"""
    try:
        async with asyncio.timeout(seconds):
            return True, await operation()
    except TimeoutError as error:
        if type(error) is TimeoutError:
            return _LATE
        raise


async def told_by_the_text(operation, seconds):
    """a time-out in the operation ran out, and you returned `(False, 'Operation timed out')`"""
    try:
        async with asyncio.timeout(seconds):
            return True, await operation()
    except TimeoutError as error:
        if not str(error):
            return _LATE
        raise


async def told_by_the_cause(operation, seconds):
    """a time-out in the operation ran out, and you returned `(False, 'Operation timed out')`"""
    try:
        async with asyncio.timeout(seconds):
            return True, await operation()
    except TimeoutError as error:
        if isinstance(error.__cause__, asyncio.CancelledError):
            return _LATE
        raise


async def every_time_out_gets_out(operation, seconds):
    """the operation was late, and you raised `TimeoutError()`. Return `(False, 'Operation timed out')`"""
    async with asyncio.timeout(seconds):
        return True, await operation()


async def every_error_is_late(operation, seconds):
    """the operation raised an error, and you returned `(False, 'Operation timed out')`"""
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            return True, await operation()
    except TimeoutError:
        if clock.expired():
            return _LATE
        raise
    except Exception:
        return _LATE


async def every_error_wrapped(operation, seconds):
    """function raised RuntimeError (the operation timed out)"""
    try:
        async with asyncio.timeout(seconds) as clock:
            return True, await operation()
    except TimeoutError as error:
        if clock.expired():
            return _LATE
        raise RuntimeError("the operation timed out") from error


async def cancellation_taken_for_the_clock(operation, seconds):
    """Let the CancelledError pass"""
    task = asyncio.create_task(operation())
    clock = asyncio.get_running_loop().call_later(seconds, task.cancel)
    try:
        return True, await task
    except asyncio.CancelledError:
        return _LATE
    finally:
        clock.cancel()


async def waits_and_leaves_it(operation, seconds):
    """the operation was late, and you returned before the operation had ended"""
    task = asyncio.create_task(operation())
    done, _ = await asyncio.wait([task], timeout=seconds)
    return (True, task.result()) if done else _LATE


async def cancels_and_does_not_wait(operation, seconds):
    """the operation was late, and you returned before the operation had ended"""
    task = asyncio.create_task(operation())
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
        return (True, task.result()) if done else _LATE
    finally:
        task.cancel()


async def shielded(operation, seconds):
    """you returned before the operation had ended"""
    task = asyncio.create_task(operation())
    try:
        async with asyncio.timeout(seconds) as clock:
            return True, await asyncio.shield(task)
    except TimeoutError:
        if clock.expired():
            return _LATE
        raise


async def lets_it_go_on_to_its_end(operation, seconds):
    """the operation was late, and the operation went on"""
    task = asyncio.create_task(operation())
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        await asyncio.wait([task])
        return _LATE
    return True, task.result()


async def looks_at_the_time_afterwards(operation, seconds):
    """the operation was late, and the operation went on"""
    loop = asyncio.get_running_loop()
    began = loop.time()
    result = await operation()
    return (True, result) if loop.time() < began + seconds else _LATE


async def left_when_cancelled(operation, seconds):
    """a time-out around `with_timeout` ran out, and you returned before the operation had ended"""
    task = asyncio.create_task(operation())
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        task.cancel()
        await asyncio.wait([task])
    return _LATE if task.cancelled() else (True, task.result())


async def result_of_a_late_one_dropped(operation, seconds):
    """gave a result when it was cancelled, and you returned `(False, 'Operation timed out')`"""
    task = asyncio.create_task(operation())
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
    return (True, task.result()) if done else _LATE


async def error_of_a_late_one_dropped(operation, seconds):
    """raised an error when it was cancelled, and you returned `(False, 'Operation timed out')`"""
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            return True, await operation()
    except Exception:
        if clock.expired():
            return _LATE
        raise


async def called_again_when_late(operation, seconds):
    """`operation` was called twice"""
    for _ in range(2):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return True, await operation()
    return _LATE


async def falsy_is_late(operation, seconds):
    """the operation ended in time, and you returned"""
    result = None
    try:
        async with asyncio.timeout(seconds) as clock:
            result = await operation()
    except TimeoutError:
        if not clock.expired():
            raise
    return (True, result) if result else _LATE


async def only_the_result(operation, seconds):
    """the operation ended in time, and you returned"""
    try:
        async with asyncio.timeout(seconds) as clock:
            return await operation()
    except TimeoutError:
        if clock.expired():
            return "Operation timed out"
        raise


async def waits_out_its_seconds(operation, seconds):
    """Return as soon as it has ended"""
    task = asyncio.create_task(operation())
    try:
        await asyncio.sleep(seconds)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return _LATE if task.cancelled() else (True, task.result())


async def looks_every_ten_milliseconds(operation, seconds):
    """Return as soon as it has ended"""
    task = asyncio.create_task(operation())
    try:
        for _ in range(int(seconds / 0.01)):
            if task.done():
                break
            await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return _LATE if task.cancelled() else (True, task.result())


async def five_seconds_as_in_the_guide(operation, seconds):
    """the operation was late, and the operation went on"""
    try:
        async with asyncio.timeout(5.0) as clock:
            return True, await operation()
    except TimeoutError:
        if clock.expired():
            return _LATE
        raise


async def half_of_its_seconds(operation, seconds):
    """too soon. Let it have all of its `seconds`"""
    try:
        async with asyncio.timeout(seconds / 2) as clock:
            return True, await operation()
    except TimeoutError:
        if clock.expired():
            return _LATE
        raise


async def another_text(operation, seconds):
    """Return `(False, 'Operation timed out')`"""
    try:
        async with asyncio.timeout(seconds) as clock:
            return True, await operation()
    except TimeoutError:
        if clock.expired():
            return False, f"Operation timed out after {seconds} s"
        raise


async def in_a_group(operation, seconds):
    """Let the error out as it is"""
    try:
        async with asyncio.timeout(seconds) as clock, asyncio.TaskGroup() as group:
            task = group.create_task(operation())
        return True, task.result()
    except TimeoutError:
        if clock.expired():
            return _LATE
        raise


async def errors_carried_past_the_wait(operation, seconds):
    async def outcome():
        try:
            return await operation(), None
        except Exception as error:
            return None, error

    try:
        result, error = await asyncio.wait_for(outcome(), seconds)
    except TimeoutError:
        return _LATE
    if error:
        raise error
    return True, result


async def a_task_and_wait(operation, seconds):
    task = asyncio.create_task(operation())
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        task.cancel()
        await asyncio.wait([task])
    return _LATE if task.cancelled() else (True, task.result())


async def the_clock_is_asked_for_the_time(operation, seconds):
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    try:
        async with asyncio.timeout_at(deadline):
            return True, await operation()
    except TimeoutError:
        if loop.time() < deadline:
            raise
        return _LATE


async def the_error_is_caught_inside(operation, seconds):
    error = None
    try:
        async with asyncio.timeout(seconds):
            try:
                return True, await operation()
            except Exception as raised:
                error = raised
    except TimeoutError:
        return _LATE
    raise error


async def a_timer_that_cancels_the_task(operation, seconds):
    is_late = False

    def end():
        nonlocal is_late
        is_late = True
        task.cancel()

    task = asyncio.create_task(operation())
    timer = asyncio.get_running_loop().call_later(seconds, end)
    try:
        return True, await task
    except asyncio.CancelledError:
        if is_late and not asyncio.current_task().cancelling():
            return _LATE
        raise
    finally:
        timer.cancel()


async def a_group_with_a_clock(operation, seconds):
    async def end():
        await asyncio.sleep(seconds)
        task.cancel()

    async def run():
        try:
            return True, await operation()
        except Exception as error:
            return False, error
        finally:
            ending.cancel()

    async with asyncio.TaskGroup() as group:
        ending = group.create_task(end())
        task = group.create_task(run())
    if task.cancelled():
        return _LATE
    has_result, value = task.result()
    if has_result:
        return True, value
    raise value


async def a_race_of_two(operation, seconds):
    running, sleeping = asyncio.create_task(operation()), asyncio.create_task(asyncio.sleep(seconds))
    try:
        await asyncio.wait([running, sleeping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        running.cancel()
        sleeping.cancel()
        await asyncio.gather(running, sleeping, return_exceptions=True)
    return _LATE if running.cancelled() else (True, running.result())


async def wait_for_and_how_long_it_took(operation, seconds):
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        return True, await asyncio.wait_for(operation(), seconds)
    except TimeoutError:
        if loop.time() - began >= seconds:
            return _LATE
        raise


async def wait_for_a_task_that_was_cancelled(operation, seconds):
    task = asyncio.create_task(operation())
    try:
        return True, await asyncio.wait_for(task, seconds)
    except TimeoutError:
        if task.cancelled():
            return _LATE
        raise
