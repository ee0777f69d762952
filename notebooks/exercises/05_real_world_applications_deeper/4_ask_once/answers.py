"""Answers to exercise 5.4. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import collections
import functools


def answers_remembered(fetch):
    """A call that has ended is not joined any more"""
    calls, waiting = {}, collections.Counter()

    async def ask(key):
        if key not in calls:
            calls[key] = asyncio.create_task(fetch(key))
        task = calls[key]
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[task] -= 1
            if not waiting[task] and not task.done():
                calls.pop(key)
                task.cancel()
                await asyncio.wait([task])

    return ask


def errors_remembered(fetch):
    """A call that has ended is not joined any more"""
    calls, waiting = {}, collections.Counter()

    async def ask(key):
        if key not in calls:
            calls[key] = asyncio.create_task(fetch(key))
        task = calls[key]
        waiting[task] += 1
        try:
            answer = await asyncio.shield(task)
            if calls.get(key) is task:
                del calls[key]
            return answer
        finally:
            waiting[task] -= 1
            if not waiting[task] and not task.done():
                calls.pop(key)
                task.cancel()
                await asyncio.wait([task])

    return ask


def every_caller_calls(fetch):
    """was called again while a call was under way. Let whoever asks then join it"""

    async def ask(key):
        return await fetch(key)

    return ask


def second_caller_finds_a_coroutine(fetch):
    """a coroutine can be awaited once. Make a task of it"""
    calls = {}

    async def ask(key):
        if key not in calls:
            calls[key] = fetch(key)
        try:
            return await calls[key]
        finally:
            calls.pop(key, None)

    return ask


def cancelled_together(fetch):
    """Keep the cancellation of a caller from the call"""
    calls = {}

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            task.add_done_callback(lambda task: calls.get(key) is task and calls.pop(key))
        return await task

    return ask


def first_caller_makes_the_call(fetch):
    """for the same key"""
    calls = {}

    async def ask(key):
        if key in calls:
            return await asyncio.shield(calls[key])
        future = calls[key] = asyncio.get_running_loop().create_future()
        try:
            answer = await fetch(key)
        except BaseException as error:
            if isinstance(error, Exception):
                future.set_exception(error)
                future.exception()
            else:
                future.cancel()
            raise
        else:
            future.set_result(answer)
            return answer
        finally:
            del calls[key]

    return ask


def others_never_told(fetch):
    """and waited forever. Check who tells it what came"""
    calls = {}

    async def ask(key):
        if key in calls:
            return await asyncio.shield(calls[key])
        future = calls[key] = asyncio.get_running_loop().create_future()
        try:
            answer = await fetch(key)
        finally:
            del calls[key]
        future.set_result(answer)
        return answer

    return ask


def shielded_and_left_alone(fetch):
    """had been cancelled, and it went on"""
    calls = {}

    async def ask(key):
        if key not in calls:
            calls[key] = asyncio.create_task(fetch(key))
            calls[key].add_done_callback(lambda _: calls.pop(key))
        return await asyncio.shield(calls[key])

    return ask


def stopped_and_not_awaited(fetch):
    """but the last of them did not wait until it had ended"""
    calls, waiting = {}, {}

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]
                if calls.get(key) is task:
                    del calls[key]
                task.cancel()

    return ask


def stopped_with_the_one_that_began_it(fetch):
    """for the same key"""
    calls = {}

    async def ask(key):
        if key in calls and not calls[key].done():
            return await asyncio.shield(calls[key])
        task = calls[key] = asyncio.create_task(fetch(key))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            if calls.get(key) is task:
                del calls[key]

    return ask


def joins_a_call_that_is_being_stopped(fetch):
    """while a call was being stopped, joined it"""
    calls, waiting = {}, {}

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                task.cancel()
                await asyncio.wait([task])
                if calls.get(key) is task:
                    del calls[key]

    return ask


def the_last_one_removes_what_is_not_its_own(fetch):
    """was called again while a call was under way"""
    calls, waiting = {}, {}

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]
                calls[key] = None
                task.cancel()
                await asyncio.wait([task])
                calls.pop(key, None)

    return ask


def removed_by_the_last_one_alone(fetch):
    """again for 'ada', as soon as it had its answer"""
    calls, waiting = {}, {}

    async def ask(key):
        if key not in calls:
            calls[key] = asyncio.create_task(fetch(key))
            waiting[calls[key]] = 0
        task = calls[key]
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]
                if calls.get(key) is task:
                    del calls[key]
                task.cancel()
                await asyncio.wait([task])

    return ask


def one_lock_for_all(fetch):
    """was called only"""
    calls, waiting, lock = {}, {}, asyncio.Lock()

    async def one(key):
        async with lock:
            return await fetch(key)

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(one(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]
                if calls.get(key) is task:
                    del calls[key]
                task.cancel()
                await asyncio.wait([task])

    return ask


def one_call_for_all_keys(fetch):
    """and was given an answer to 'ada'. Keep the keys apart"""
    calls, waiting = [], []

    async def ask(key):
        if not calls or calls[0].done():
            calls[:] = [asyncio.create_task(fetch(key))]
            waiting.clear()
        task = calls[0]
        waiting.append(key)
        try:
            return await asyncio.shield(task)
        finally:
            if task in calls:
                waiting.pop()
                if not waiting:
                    calls.clear()
                    task.cancel()
                    await asyncio.wait([task])

    return ask


def finished_tasks_kept(fetch):
    """is still kept. Remove it from every dict"""
    calls, waiting = {}, {}

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]
                if not task.done():
                    if calls.get(key) is task:
                        del calls[key]
                    task.cancel()
                    await asyncio.wait([task])

    return ask


def cached(fetch):
    """A call that has ended is not joined any more"""

    @functools.cache
    def call(key):
        return asyncio.create_task(fetch(key))

    async def ask(key):
        return await asyncio.shield(call(key))

    return ask


def cancelled_callers_get_none(fetch):
    """was cancelled, and was given `None`. Let `CancelledError` out"""
    calls, waiting = {}, {}

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            return None
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]
                if calls.get(key) is task:
                    del calls[key]
                task.cancel()
                await asyncio.wait([task])

    return ask


def falsy_answers_are_none(fetch):
    """and was given `None`, not what `fetch` gave"""
    calls, waiting = {}, {}

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            return (await asyncio.shield(task)) or None
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]
                if calls.get(key) is task:
                    del calls[key]
                task.cancel()
                await asyncio.wait([task])

    return ask


def errors_are_none(fetch):
    """and was given `None`, not what `fetch` gave"""
    calls, waiting = {}, {}

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        except Exception:
            return None
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]
                if calls.get(key) is task:
                    del calls[key]
                task.cancel()
                await asyncio.wait([task])

    return ask


def answers_late(fetch):
    """after the call had ended. Await its task"""
    calls, waiting = {}, {}

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            while not task.done():
                await asyncio.sleep(0.01)
            return task.result()
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]
                if calls.get(key) is task:
                    del calls[key]
                task.cancel()
                await asyncio.wait([task])

    return ask


async def coroutine_function(fetch):
    """Define it with `def`"""

    async def ask(key):
        return await fetch(key)

    return ask


def leaves_wait_for_the_call(fetch):
    """though others still waited"""
    calls = {}

    async def ask(key):
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            task.add_done_callback(lambda task: calls.get(key) is task and calls.pop(key))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    return ask


def one_after_another(fetch):
    """Let it join the one under way"""
    locks = {}

    async def ask(key):
        async with locks.setdefault(key, asyncio.Lock()):
            return await fetch(key)

    return ask


def asked_again_when_another_was_cancelled(fetch):
    """let no caller's cancellation end that"""
    calls = {}

    async def ask(key):
        while True:
            if key not in calls:
                calls[key] = asyncio.create_task(fetch(key))
                calls[key].add_done_callback(lambda _: calls.pop(key, None))
            try:
                return await calls[key]
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():
                    raise

    return ask


def whoever_leaves_first_removes_it(fetch):
    """was called again while a call was under way"""
    calls = {}

    async def ask(key):
        if key not in calls:
            calls[key] = asyncio.create_task(fetch(key))
        try:
            return await asyncio.shield(calls[key])
        finally:
            calls.pop(key, None)

    return ask


def new_one_waits_for_the_end_of_the_old(fetch):
    """Begin a call at once, whatever is under way for other keys, or is being stopped"""
    calls, waiting = {}, {}

    async def ask(key):
        while key in calls and calls[key].cancelling():
            await asyncio.wait([calls[key]])
        task = calls.get(key)
        if task is None or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                task.cancel()
                await asyncio.wait([task])
                del waiting[task]
                if calls.get(key) is task:
                    del calls[key]

    return ask


def counts_down_only_when_cancelled(fetch):
    """The last one to leave has to cancel it"""
    calls, waiting = {}, collections.Counter()

    async def ask(key):
        task = calls.get(key)
        if task is None:
            task = calls[key] = asyncio.create_task(fetch(key))
            task.add_done_callback(lambda task: calls.get(key) is task and calls.pop(key))
        waiting[key] += 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            waiting[key] -= 1
            if not waiting[key]:
                calls.pop(key, None)
                task.cancel()
                await asyncio.wait([task])
            raise

    return ask


def error_wrapped(fetch):
    """raised RuntimeError (it failed)"""
    calls = {}

    async def ask(key):
        if key not in calls:
            calls[key] = asyncio.create_task(fetch(key))
            calls[key].add_done_callback(lambda _: calls.pop(key))
        try:
            return await asyncio.shield(calls[key])
        except Exception as error:
            raise RuntimeError("it failed") from error

    return ask


def task_given_back(fetch):
    """returned a task, not its result"""
    calls = {}

    async def ask(key):
        if key not in calls:
            calls[key] = asyncio.create_task(fetch(key))
            calls[key].add_done_callback(lambda _: calls.pop(key))
        return calls[key]

    return ask


def kept_for_a_moment(fetch):
    """A call that has ended is not joined any more"""
    calls, waiting = {}, {}

    async def ask(key):
        task = calls.get(key)
        if task is None:
            task = calls[key] = asyncio.create_task(fetch(key))
            waiting[task] = 0
            task.add_done_callback(lambda task: asyncio.get_running_loop().call_later(0.02, forget, key, task))
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            waiting[task] -= 1
            if not waiting[task] and not task.done():
                forget(key, task)
                task.cancel()
                await asyncio.wait([task])

    def forget(key, task):
        if calls.get(key) is task:
            del calls[key]

    return ask


def called_again_after_an_error(fetch):
    """Let the error of the one under way reach whoever joined it"""
    calls = {}

    async def ask(key):
        if key not in calls:
            calls[key] = asyncio.create_task(fetch(key))
            calls[key].add_done_callback(lambda _: calls.pop(key))
        try:
            return await asyncio.shield(calls[key])
        except Exception:
            return await fetch(key)

    return ask


def group_in_each_call(fetch):
    """Let out the error itself"""
    calls = {}

    async def ask(key):
        async with asyncio.TaskGroup() as group:
            if key not in calls:
                calls[key] = group.create_task(fetch(key))
                calls[key].add_done_callback(lambda _: calls.pop(key))
            return await asyncio.shield(calls[key])

    return ask


def asyncio_wait_and_a_set_of_callers(fetch):
    calls = {}

    async def ask(key):
        if key not in calls:
            task = asyncio.create_task(call(key))
            calls[key] = task, set()
        task, callers = calls[key]
        me = asyncio.current_task()
        callers.add(me)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            callers.discard(me)
            if not callers and not task.done():
                del calls[key]
                task.cancel()
                await asyncio.wait([task])
            raise
        return task.result()

    async def call(key):
        mine = asyncio.current_task()
        try:
            return await fetch(key)
        finally:
            if key in calls and calls[key][0] is mine:
                del calls[key]

    return ask


class _Call:
    def __init__(self, fetch, key, calls):
        self.waiting, self.key, self.calls = 0, key, calls
        self.task = asyncio.create_task(self.run(fetch))

    async def run(self, fetch):
        try:
            return await fetch(self.key)
        finally:
            self.leave()

    def leave(self):
        if self.calls.get(self.key) is self:
            del self.calls[self.key]

    async def join(self):
        self.waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self.waiting -= 1
            if self.waiting == 0 and not self.task.done():
                self.leave()
                self.task.cancel()
                await asyncio.gather(self.task, return_exceptions=True)


def call_is_an_object(fetch):
    calls = {}

    async def ask(key):
        if key not in calls:
            calls[key] = _Call(fetch, key, calls)
        return await calls[key].join()

    return ask


def each_waits_for_a_future_of_its_own(fetch):
    calls = {}

    async def call(key, futures):
        try:
            answer = await fetch(key)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            tell(futures, lambda each: each.set_exception(error))
        else:
            tell(futures, lambda each: each.set_result(answer))
        finally:
            if key in calls and calls[key][1] is futures:
                del calls[key]

    def tell(futures, how):
        for each in futures:
            if not each.done():
                how(each)

    async def ask(key):
        if key not in calls:
            futures = []
            calls[key] = asyncio.create_task(call(key, futures)), futures
        task, futures = calls[key]
        mine = asyncio.get_running_loop().create_future()
        futures.append(mine)
        try:
            return await mine
        except asyncio.CancelledError:
            futures.remove(mine)
            if not futures and not task.done():
                if key in calls and calls[key][0] is task:
                    del calls[key]
                task.cancel()
                await asyncio.wait([task])
            raise

    return ask


def removed_by_a_callback(fetch):
    calls, waiting = {}, collections.Counter()

    async def ask(key):
        task = calls.get(key)
        if task is None:
            task = calls[key] = asyncio.create_task(fetch(key))
            task.add_done_callback(lambda task: calls.get(key) is task and calls.pop(key))
        waiting[task] += 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if waiting[task] == 1:
                if calls.get(key) is task:
                    del calls[key]
                task.cancel()
                await asyncio.wait([task])
            raise
        finally:
            waiting[task] -= 1
            if not waiting[task]:
                del waiting[task]

    return ask


def told_by_an_event(fetch):
    calls = {}

    async def ask(key):
        call = calls.get(key)
        if call is None:
            call = calls[key] = {"waiting": 0, "ended": asyncio.Event()}
            call["task"] = asyncio.create_task(run(key, call))
        call["waiting"] += 1
        try:
            await call["ended"].wait()
        finally:
            call["waiting"] -= 1
            if not call["waiting"] and not call["ended"].is_set():
                forget(key, call)
                call["task"].cancel()
                await asyncio.wait([call["task"]])
        if "error" in call:
            raise call["error"]
        return call["answer"]

    async def run(key, call):
        try:
            call["answer"] = await fetch(key)
        except Exception as error:
            call["error"] = error
        finally:
            forget(key, call)
            call["ended"].set()

    def forget(key, call):
        if calls.get(key) is call:
            del calls[key]

    return ask


class _Asking:
    def __init__(self, fetch):
        self.fetch, self.calls = fetch, {}

    async def __call__(self, key):
        call = self.calls.get(key)
        if call is None or call["task"].done():
            call = self.calls[key] = {"task": asyncio.ensure_future(self.fetch(key)), "waiting": 0}
        call["waiting"] += 1
        try:
            return await asyncio.shield(call["task"])
        finally:
            call["waiting"] -= 1
            if not call["waiting"]:
                if self.calls.get(key) is call:
                    del self.calls[key]
                if call["task"].cancel():
                    await asyncio.gather(call["task"], return_exceptions=True)


def object_that_can_be_called(fetch):
    return _Asking(fetch)


def waits_in_a_loop(fetch):
    calls, waiting = {}, collections.defaultdict(set)

    async def ask(key):
        task = calls.get(key)
        if not task or task.done():
            task = calls[key] = asyncio.create_task(fetch(key))
        me = object()
        waiting[task].add(me)
        try:
            while not task.done():
                await asyncio.wait([task])
            return await task
        finally:
            waiting[task].remove(me)
            if not waiting[task]:
                del waiting[task]
                if calls.get(key) is task:
                    del calls[key]
                if not task.done():
                    task.cancel()
                    await asyncio.wait([task])

    return ask
