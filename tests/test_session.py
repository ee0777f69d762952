"""`begin()` and `end()`: what each finds, what it says, and that it leaves nothing behind."""

import asyncio
import time
import warnings

import pytest

from asynclab import Services, begin, end, trace
from asynclab.session import Unfinished
from kernels import Kernel


def leftovers(main):
    """What `end()` names after `main` ran between `begin()` and `end()`; nothing stays behind in any case."""

    async def session():
        loop = asyncio.get_running_loop()
        handler, show = loop.get_exception_handler(), warnings.showwarning
        begin()
        await main()
        try:
            await end()
        except Unfinished as unfinished:
            found = unfinished.leftovers
        else:
            found = []
        assert loop.get_exception_handler() is handler
        assert warnings.showwarning is show
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await end()  # what was named once is gone
        return found

    with warnings.catch_warnings():
        warnings.simplefilter("default")  # under -W error a forgotten coroutine is an error nobody can catch
        return asyncio.run(session())


async def nap(seconds=0.001):
    await asyncio.sleep(seconds)


def test_a_tidy_notebook_is_all_clear(capsys):
    async def main():
        await asyncio.gather(nap(), asyncio.create_task(nap()))
        async with await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0):
            pass
        with pytest.raises(ValueError):
            await fail()

    async def fail():
        raise ValueError

    assert leftovers(main) == []
    assert "All clear" in capsys.readouterr().out


def test_a_leaked_task_is_named_and_cancelled():
    async def main():
        kept.append(asyncio.create_task(nap(60), name="forgotten"))
        await asyncio.sleep(0)

    kept = []
    (found,) = leftovers(main)
    assert "task 'forgotten' (nap) still runs" in found and "await" in found
    assert kept[0].cancelled()


def test_a_lost_exception_is_named(caplog):
    async def fail():
        raise ValueError("lost one")

    async def main():
        task = asyncio.create_task(fail(), name="fails")
        await asyncio.sleep(0.001)
        del task

    (found,) = leftovers(main)
    assert "never retrieved" in found and "ValueError: lost one" in found and "'fails'" in found
    assert "lost one" in caplog.text, "the learner sees it when it happens, too"


def test_a_coroutine_that_a_variable_holds_is_named():
    async def main():
        kept.append(nap())

    kept = []
    (found,) = leftovers(main)
    assert "coroutine 'nap' was never awaited" in found


def test_a_server_left_up_is_named_and_closed():
    async def main():
        kept.append(await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0))

    kept = []
    (found,) = leftovers(main)
    assert "a server still listens on 127.0.0.1:" in found and "close" in found
    assert not kept[0].is_serving()


def test_services_left_up_are_named_and_stopped(capsys):
    async def main():
        async with Services():
            kept.append(await Services().start())

    kept = []
    (found,) = leftovers(main)
    assert f"the servers of Services still run at {kept[0].api}" in found and "await web.stop()" in found
    assert Services.running() == []
    assert "All clear" in capsys.readouterr().out, "said by the second end()"


def test_services_that_ran_before_are_nobodys_fault():
    async def main():
        async with Services() as web:
            begin()
            await end()
            assert Services.running() == [web]
            assert (await web.stats())["requests"] == 0

    asyncio.run(main())


def test_what_was_there_before_is_nobodys_fault():
    async def main():
        other = asyncio.create_task(nap(60), name="the kernel's own")
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        begin()
        await end()
        assert server.is_serving()
        other.cancel()
        server.close()
        await asyncio.wait([other])

    asyncio.run(main())


def test_beginning_twice_is_harmless():
    async def main():
        loop = asyncio.get_running_loop()
        handler = loop.get_exception_handler()
        begin()
        begin()
        await end()
        assert loop.get_exception_handler() is handler
        assert not loop._scheduled or all(timer.cancelled() for timer in loop._scheduled)

    asyncio.run(main())


def test_several_leftovers_are_all_named():
    async def main():
        kept.extend(asyncio.create_task(nap(60), name=name) for name in ("b", "a"))
        kept.append(nap())
        await asyncio.sleep(0)

    kept = []
    found = leftovers(main)
    assert [each.split("(")[0] for each in found[:2]] == ["task 'a' ", "task 'b' "]
    assert len(found) == 3


def test_calls_out_of_place_say_what_to_do():
    with pytest.raises(RuntimeError, match="needs a running event loop"):
        begin()
    with pytest.raises(RuntimeError, match=r"run the cell with begin\(\) first"):
        asyncio.run(end())


def test_a_timeline_does_not_show_the_ticker():
    async def main():
        begin()
        with trace() as quiet:
            await asyncio.sleep(0.25)
        await end()
        return quiet

    assert not [callback for callback in asyncio.run(main()).callbacks if "tick" in callback.name]


SETUP = "import asyncio, time, warnings\nfrom asynclab import begin, end, trace\nbegin()"


@pytest.fixture(scope="module")
def kernel(pytestconfig):
    with Kernel(cwd=pytestconfig.rootpath / "notebooks") as kernel:
        assert kernel.run(SETUP).status == "ok"
        yield kernel


def test_in_a_kernel_a_tidy_session_ends_clear(kernel):
    reply = kernel.run("await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))\nawait end()")
    assert reply.status == "ok", reply
    assert "All clear" in reply.text


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("asyncio.sleep(1)", "coroutine 'sleep' was never awaited"),  # the cell's result: Out keeps it, no warning
        ("asyncio.sleep(2); None", "coroutine 'sleep' was never awaited. Write await"),  # a warning tells it
        ("t = asyncio.create_task(asyncio.sleep(60), name='mine')", "task 'mine' (sleep) still runs"),
        ("s = await asyncio.start_server(lambda r, w: None, '127.0.0.1', 0)", "a server still listens"),
        ("import asynclab\nweb = await asynclab.Services().start()", "the servers of Services still run at http://127"),
    ],
)
def test_in_a_kernel_leftovers_are_named(kernel, code, named):
    assert kernel.run("begin()").status == "ok"
    kernel.run(code)
    reply = kernel.run("await end()")
    assert (reply.status, reply.ename) == ("error", "Unfinished")
    assert named in reply.evalue, reply.evalue
    assert len(reply.traceback) == 1, "the advice alone, no stack of calls"
    assert kernel.run("await end()").status == "ok"


def test_in_a_kernel_a_forgotten_coroutine_staged_on_purpose_is_no_fault(kernel):
    assert kernel.run("begin()").status == "ok"
    reply = kernel.run("with warnings.catch_warnings(record=True) as caught:\n    asyncio.sleep(1)\nprint(len(caught))")
    assert (reply.text, reply.stderr) == ("1\n", "")
    assert kernel.run("await end()").status == "ok"


def test_an_interrupt_reaches_an_awaiting_cell_at_once_and_the_next_cell_works(kernel):
    assert kernel.run("begin()").status == "ok"
    cell = kernel.start("with trace('cut short') as cut:\n    print('waiting')\n    await asyncio.sleep(60)")
    kernel.wait_until_printed(cell, "waiting")
    asked = time.monotonic()
    kernel.interrupt()
    assert kernel.wait(cell).status == "error"
    assert time.monotonic() - asked < 10
    reply = kernel.run("with trace('whole') as whole:\n    await asyncio.sleep(0.01)\nprint(len(whole.tasks))")
    assert (reply.status, reply.text) == ("ok", "1\n")
    assert kernel.run("print(len(cut.tasks), cut.tasks[0].outcome)").text == "1 pending\n"
    assert kernel.run("await end()").status == "ok"


def test_in_a_kernel_only_the_cells_own_tasks_are_rows(kernel):
    assert kernel.run("begin()").status == "ok"
    reply = kernel.run(
        "with trace('two naps') as naps:\n"
        "    await asyncio.gather(*[asyncio.create_task(asyncio.sleep(0.02), name=n) for n in 'ab'])\n"
        "print([row.name for row in naps.tasks if not row.root], naps.tasks[0].root)\nnaps"
    )
    assert reply.text == "['a', 'b'] True\n"
    (result,) = reply.results
    assert "two naps: 2 tasks in" in result["text/plain"]
    assert '<img alt="Timeline “two naps”: 2 tasks in' in result["text/html"]
    reply = kernel.run("with trace() as still:\n    time.sleep(0.01)\nprint(len(still.tasks))")
    assert reply.text == "1\n", "a cell without await can be traced too"
    assert kernel.run("await end()").status == "ok"
