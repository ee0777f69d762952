"""The check of exercise 6.4: whose request is it, in the work, its tasks and threads, while taking, and afterwards?"""

import asyncio
from contextvars import ContextVar
from types import SimpleNamespace

from asynclab.checking.expect import (
    WAIT_ERRORS,
    count,
    expect,
    expect_at_once,
    expect_cancelled,
    expect_none_twice,
    expect_nothing_left,
    said,
    same,
)
from asynclab.checking.work import JobError, uses

ERROR_MESSAGES = WAIT_ERRORS | {
    "this request fails": "the error of a request got out, and ended all. In the dict, it is what that request gave.",
    "ValueError: .*was created in a different Context": (
        "a token can only be used in the context in which `set` gave it. Set and reset in the same task."
    ),
}
DOWN = "Set it before `work` is awaited, or before its task is made: a task has a copy of the context."
BACK = "Put back what was there when the work ends, even if it fails: `request_id.reset(token)` in `finally`."
request_id = ContextVar("request_id", default=None)


async def check(serve, world):
    """Its own id wherever a request is worked on, and what the caller had everywhere else."""
    number, workers, wrong = world.size(5, 0, 1, 2, 20, 60), world.size(2, 1, 3, 5), []
    before, is_flood = world.pick(None, "of the caller", 0), world.pick(True, False)
    ids = world.rng.sample(range(3 * number), number)
    kinds = {each: world.pick(JobError, ValueError, TimeoutError, None) for each in ids if world.fails}
    failing = {each: kind("this request fails") for each, kind in kinds.items() if kind}
    results = {each: world.pick(0, None, "", [], f"result {each}") for each in ids}
    done, waiting = world.work("work", ids, results=results, failing=failing), list(ids)
    done.closing, places = world.pick(0.0, world.delay(0.01, 0.05)), uses(asyncio.Semaphore)
    world.facts += [count(number, "request"), count(workers, "worker")]
    world.facts += [f"request {each} fails" for each in failing][:3]

    def look(where, wanted, advice):
        if not same(request_id.get(), wanted):
            wrong.append(f"{where}, `request_id.get()` gave {said(request_id.get())}, not {said(wanted)}. {advice}")

    async def take():
        look("in `take()`", before, BACK)
        await asyncio.sleep(0 if is_flood else world.delay(0.001, 0.05))
        look("in `take()`", before, BACK)
        return SimpleNamespace(id=waiting.pop(0)) if waiting else None

    async def look_in_a_task(wanted):
        look(f"in a task of request {wanted}", wanted, DOWN)

    async def work(request):
        look(f"in the work on request {request.id}", request.id, DOWN)
        await asyncio.create_task(look_in_a_task(request.id))
        if request.id == ids[-1]:
            await asyncio.to_thread(look, f"in a thread of request {request.id}", request.id, DOWN)
        try:
            return await done.function(request.id)
        finally:
            look(f"at the end of the work on request {request.id}", request.id, DOWN)

    async def use():
        request_id.set(before)
        try:
            return await serve(take, work, request_id, workers)
        finally:
            look("in the caller, after `serve`", before, BACK)

    run = await world.watch(function=use)
    expect_cancelled(run)
    expect_nothing_left(run)
    expect(not wrong, "".join(wrong[:1]))
    possible = number if is_flood and workers > 1 and not run.cancelled else 0
    expect_at_once(done.most, workers, places, "requests", possible)
    expect_none_twice(done)
    if not run.cancelled:
        is_dict = isinstance(run.value, dict)
        expect(is_dict, f"your function returned {said(run.value)}. Return a dict: for each `request.id` its result.")
        for each, wanted in (results | failing).items():
            gave = f"request {each} gave {said(wanted)}"
            expect(each in run.value, f"{gave}, which is missing in your dict. Serve all until `take()` gives `None`.")
            got = run.value[each]
            told = f"{gave}, and your dict has {said(got)} for it. Keep its result, or the error itself."
            expect(got is wanted or (each not in failing and same(got, wanted)), told)
