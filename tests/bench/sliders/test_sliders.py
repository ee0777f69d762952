"""`explore()`: a control moved is an experiment run, never two at once, nothing left behind; in a kernel, too."""

import ast
import asyncio
import inspect
import threading
import time

import pytest

import notebook_file
from asynclab import begin, end, sliders, trace
from asynclab.session import Unfinished
from asynclab.sliders.explorer import explore
from kernels import Kernel

SETTLED = 0.35  # seconds: a change, its rest and a run of no length


@pytest.fixture(autouse=True)
def _no_explorer_of_another_test():
    yield
    for explorer in sliders.explorer._explorers.values():
        explorer.close()
    sliders.explorer._explorers.clear()


class Log:
    """An experiment that notes when it begins and how it ends, and whether two ever ran at once."""

    def __init__(self, seconds=0.0, cleanup=0.0):
        self.seconds, self.cleanup, self.events, self.running, self.most = seconds, cleanup, [], 0, 0
        self.began = asyncio.Event()

    async def run(self, tasks=5):
        self.running += 1
        self.most = max(self.most, self.running)
        self.events.append(("begin", tasks))
        self.began.set()
        try:
            await asyncio.sleep(self.seconds)
            self.events.append(("end", tasks))
            return tasks * 10
        except asyncio.CancelledError:
            await asyncio.sleep(self.cleanup)
            self.events.append(("cancelled", tasks))
            raise
        finally:
            self.running -= 1

    async def begun(self):
        """Return once the next run has begun."""
        self.began.clear()
        await self.began.wait()

    async def explore(self):
        async def experiment(tasks=5):
            return await self.run(tasks)

        return await explore(experiment, tasks=(1, 20))


def status(explorer):
    return explorer._status.value.partition("<style")[0]


async def settled(explorer, seconds=5.0):
    """Return when no run is under way or wanted."""
    deadline = time.monotonic() + seconds
    await asyncio.sleep(0)
    while explorer._timer is not None or explorer._task is not None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


# --- what is run, and when ----------------------------------------------------------------------------------------


def test_the_first_run_takes_the_defaults():
    async def main():
        async def waits(tasks, seconds=0.0, kind="a", blocking=True, rest="kept"):
            return tasks, seconds, kind, blocking, rest

        explorer = await explore(waits, tasks=(2, 20), seconds=(0, 0.3, 0.1), kind=["b", "a"], blocking=False)
        assert explorer.value == (2, 0.0, "a", False, "kept")
        assert explorer.values == {"tasks": 2, "seconds": 0.0, "kind": "a", "blocking": False}
        assert explorer.error is None and explorer.title == "waits"
        kinds = [type(widget).__name__ for widget in explorer.controls.values()]
        assert kinds == ["IntSlider", "FloatSlider", "Dropdown", "Checkbox"]
        assert repr(explorer) == "<explore waits(tasks=2, seconds=0.0, kind='a', blocking=False)>"

    asyncio.run(main())


def test_a_moved_slider_runs_the_experiment_again():
    async def main():
        log = Log()
        explorer = await log.explore()
        assert explorer.value == 50
        explorer.controls["tasks"].value = 7
        await settled(explorer)
        assert explorer.value == 70 and "Ended after" in status(explorer)
        explorer._button.click()
        await settled(explorer)
        assert log.events[-2:] == [("begin", 7), ("end", 7)] and len(log.events) == 6

    asyncio.run(main())


def test_a_slider_s_number_has_no_noise():
    async def main():
        async def waits(seconds=0.0):
            return seconds

        explorer = await explore(waits, seconds=(0.0, 0.3, 0.05))
        explorer.controls["seconds"].value = 3 * 0.05  # 0.15000000000000002
        await settled(explorer)
        assert explorer.value == 0.15

    asyncio.run(main())


def test_dragging_is_one_run():
    async def main():
        log = Log()
        explorer = await log.explore()
        for tasks in range(6, 16):
            explorer.controls["tasks"].value = tasks
            await asyncio.sleep(0.01)
        assert "Running" in status(explorer)
        await settled(explorer)
        assert log.events == [("begin", 5), ("end", 5), ("begin", 15), ("end", 15)]

    asyncio.run(main())


def test_a_run_in_flight_is_cancelled_to_its_end_before_the_next():
    async def main():
        log = Log(cleanup=0.3)
        explorer = await log.explore()
        log.seconds = 60
        explorer.controls["tasks"].value = 6
        await log.begun()
        assert explorer._task.get_name() == "explore experiment"
        log.seconds = 0
        explorer.controls["tasks"].value = 7
        await settled(explorer)
        assert log.events[2:] == [("begin", 6), ("cancelled", 6), ("begin", 7), ("end", 7)]
        assert log.most == 1 and explorer.value == 70

    asyncio.run(main())


def test_traces_never_meet():
    async def main():
        async def waits(tasks=5):
            with trace(f"{tasks} waits") as waits:
                await asyncio.sleep(0.3)
            return waits

        explorer = await explore(waits, tasks=(1, 20))
        for tasks in (6, 7, 8):
            explorer.controls["tasks"].value = tasks
            await asyncio.sleep(SETTLED)
        await settled(explorer)
        assert explorer.error is None and explorer.value.title == "8 waits"

    asyncio.run(main())


def test_a_change_from_another_thread_runs_on_the_loop():
    """JupyterLab's messages about widgets are handled by a thread of their own."""

    async def main():
        async def where(tasks=5):
            return threading.current_thread(), asyncio.get_running_loop()

        explorer = await explore(where, tasks=(1, 20))
        explorer.value = None
        thread = threading.Thread(target=setattr, args=(explorer.controls["tasks"], "value", 6))
        thread.start()
        thread.join()
        await asyncio.sleep(0.01)
        await settled(explorer)
        assert explorer.value == (threading.main_thread(), asyncio.get_running_loop())

    asyncio.run(main())


def test_set_moves_the_controls_and_runs_once():
    async def main():
        log = Log()
        explorer = await log.explore()
        assert await explorer.set(tasks=3) == 30 == explorer.value
        assert explorer.controls["tasks"].value == 3
        await asyncio.sleep(SETTLED)
        assert log.events[2:] == [("begin", 3), ("end", 3)]
        for wrong in (0, 21, 2.5, "3", True):
            with pytest.raises(ValueError, match=r"'tasks' cannot be .*1 to 20"):
                await explorer.set(tasks=wrong)
        with pytest.raises(ValueError, match="no control 'task': there are tasks"):
            await explorer.set(task=3)
        assert explorer.values == {"tasks": 3}

    asyncio.run(main())


def test_set_knows_what_lists_and_boxes_hold():
    async def main():
        async def waits(kind=1, blocking=False):
            return kind, blocking

        explorer = await explore(waits, kind={"one": 1, "two": 2}, blocking=False)
        assert await explorer.set(kind=2, blocking=True) == (2, True)
        with pytest.raises(ValueError, match="'kind' cannot be 3: it is one of one · two"):
            await explorer.set(kind=3)
        with pytest.raises(ValueError, match="'blocking' cannot be 1"):
            await explorer.set(blocking=1)

    asyncio.run(main())


def test_run_takes_the_place_of_a_run_that_a_control_began():
    async def main():
        log = Log()
        explorer = await log.explore()
        log.seconds = 60
        explorer.controls["tasks"].value = 6
        await log.begun()
        log.seconds = 0
        assert await explorer.set(tasks=7) == 70
        assert log.events[2:] == [("begin", 6), ("cancelled", 6), ("begin", 7), ("end", 7)] and log.most == 1

    asyncio.run(main())


def test_two_runs_by_code_are_refused_and_a_change_waits_for_the_first():
    async def main():
        log = Log()
        explorer = await log.explore()
        log.seconds = 0.4
        first = asyncio.create_task(explorer.run())
        await asyncio.sleep(0.01)
        with pytest.raises(RuntimeError, match="a run is under way"):
            await explorer.run()
        explorer.controls["tasks"].value = 6
        assert await first == 50
        log.seconds = 0
        await settled(explorer)
        assert explorer.value == 60 and log.most == 1

    asyncio.run(main())


# --- what goes wrong ----------------------------------------------------------------------------------------------


def test_an_error_is_shown_in_place_and_the_controls_stay_usable():
    async def main():
        async def picky(tasks=5):
            if tasks == 6:
                raise ValueError("six is <too> many")
            return tasks

        explorer = await explore(picky, tasks=(1, 20))
        explorer.controls["tasks"].value = 6
        await settled(explorer)
        assert isinstance(explorer.error, ValueError) and explorer.value is None
        data, _ = explorer._bundle()
        assert data["text/plain"] == "ValueError: six is <too> many"
        assert "six is &lt;too&gt; many" in data["text/html"] and 'role="alert"' in data["text/html"]
        assert "ValueError" in status(explorer)
        explorer.controls["tasks"].value = 7
        await settled(explorer)
        assert explorer.value == 7 and explorer.error is None
        with pytest.raises(ValueError, match="six"):
            await explorer.set(tasks=6)
        assert await explorer.set(tasks=8) == 8

    asyncio.run(main())


def test_an_error_of_the_first_run_is_the_caller_s():
    async def fail(tasks=5):
        raise LookupError("at once")

    with pytest.raises(LookupError, match="at once"):
        asyncio.run(explore(fail, tasks=(1, 20)))


def test_messages_are_short_and_groups_are_opened():
    group = ExceptionGroup("two failed", [ValueError("x" * 1000), KeyError()])
    lines = sliders.explorer._error_shown(group)["text/plain"].splitlines()
    assert lines[0] == "ExceptionGroup: two failed (2 sub-exceptions)"
    assert lines[1].startswith("  - ValueError: xxx") and len(lines[1]) < 320 and lines[2] == "  - KeyError"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_would_end_the_loop_is_shown_in_place(kind):
    async def main():
        async def experiment(tasks=5):
            if tasks == 6:
                raise kind
            return tasks

        explorer = await explore(experiment, tasks=(1, 20))
        explorer.controls["tasks"].value = 6
        await settled(explorer)
        assert isinstance(explorer.error, kind) and kind.__name__ in status(explorer)
        assert await explorer.set(tasks=7) == 7

    asyncio.run(main())


def test_cancelling_the_caller_cancels_the_experiment():
    async def main():
        log = Log()
        explorer = await log.explore()
        log.seconds = 60
        run = asyncio.create_task(explorer.run())
        await asyncio.sleep(0.01)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert log.events[-1] == ("cancelled", 5) and "Stopped" in status(explorer)
        log.seconds = 0
        assert await explorer.set(tasks=6) == 60

    asyncio.run(main())


def test_running_the_cell_again_ends_what_it_showed_before():
    async def main():
        log = Log(cleanup=0.05)
        former = await log.explore()
        log.seconds = 60
        former.controls["tasks"].value = 6
        await log.begun()
        slider = former.controls["tasks"]
        log.seconds = 0
        explorer = await log.explore()
        assert log.events[2:] == [("begin", 6), ("cancelled", 6), ("begin", 5), ("end", 5)] and log.most == 1
        slider.value = 9
        await asyncio.sleep(SETTLED)
        assert log.events[-1] == ("end", 5) and former._closed and not explorer._closed
        with pytest.raises(RuntimeError, match="closed"):
            await former.run()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_control_of_a_loop_that_is_gone_does_nothing():
    explorer = asyncio.run(Log().explore())
    explorer.controls["tasks"].value = 6
    explorer.close()


# --- nothing left behind ------------------------------------------------------------------------------------------


def test_end_finds_nothing_of_ours(capsys):
    async def main():
        begin()
        explorer = await Log().explore()
        explorer.controls["tasks"].value = 6
        await settled(explorer)
        explorer.controls["tasks"].value = 7  # a run is wanted, and has not begun
        explorer._turn = asyncio.Lock()  # as in a kernel, while a cell runs
        async with explorer._turn:
            await asyncio.sleep(SETTLED)
            assert "Waiting" in status(explorer)
            await end()

    asyncio.run(main())
    assert "All clear" in capsys.readouterr().out


def test_end_finds_what_the_experiment_left():
    async def main():
        async def leaky(tasks=5):
            kept.append(asyncio.create_task(asyncio.sleep(60), name=f"leak {tasks}"))

        kept = []
        begin()
        explorer = await explore(leaky, tasks=(1, 20))
        explorer.controls["tasks"].value = 6
        await settled(explorer)
        with pytest.raises(Unfinished) as caught:
            await end()
        assert [leak.split("'")[1] for leak in caught.value.leftovers] == ["leak 5", "leak 6"]

    asyncio.run(main())


def test_the_machinery_is_in_nobody_s_trace():
    async def main():
        explorer = await Log().explore()
        explorer.controls["tasks"].value = 6
        explorer._turn = asyncio.Lock()  # as in a kernel, while a cell runs
        async with explorer._turn:
            with trace("a cell") as cell:
                await asyncio.sleep(SETTLED)
            assert "Waiting" in status(explorer)
            assert len(cell.tasks) == 1 and not [each for each in cell.callbacks if "Explorer" in each.name]
            assert explorer.value == 50
        await settled(explorer)
        assert explorer.value == 60 and not explorer._turn.locked()

    asyncio.run(main())


# --- what is seen -------------------------------------------------------------------------------------------------


def test_every_control_says_what_it_sets():
    async def main():
        async def waits(tasks=5, each_waits=0.1):
            pass

        explorer = await explore(
            waits, tasks=(1, 20), each_waits=(0.0, 0.3, 0.05), labels={"each_waits": "each waits (s)"}, title="Total?"
        )
        for label, widget in zip(["tasks", "each waits (s)"], explorer.controls.values(), strict=True):
            assert widget.description == widget.tooltip == label and not widget.continuous_update
        assert len({widget.style.description_width for widget in explorer.controls.values()}) == 1
        assert explorer.text().splitlines() == [
            "Controls of “Total?”, alive where a kernel runs:",
            "  tasks: 1 to 20, at first 5",
            "  each waits (s): 0.0 to 0.3 in steps of 0.05, at first 0.1",
        ]
        assert explorer._bundle() == ({"text/plain": ""}, {})

    asyncio.run(main())


def test_a_page_loaded_anew_gets_results_inside_the_panel():
    async def main():
        async def waits(tasks=5):
            return tasks

        explorer = await explore(waits, tasks=(1, 20))
        assert not explorer._reloaded
        explorer._panel.get_state()  # what ipywidgets does when a page asks for all states
        explorer._shown = True
        assert await explorer.set(tasks=6) == 6
        assert "page was loaded" in explorer._inside.value and "<pre>6</pre>" in explorer._inside.value

    asyncio.run(main())


# --- bad input ----------------------------------------------------------------------------------------------------


async def sound(tasks=5, seconds=0.1, kind="a", blocking=False):
    return tasks


def plain(tasks=5):
    return tasks


async def generator(tasks=5):
    yield tasks


async def needs(tasks, seconds=1):
    return tasks


@pytest.mark.parametrize(
    ("function", "wrong", "kind", "message"),
    [
        (plain, {}, TypeError, "coroutine function, not 'plain'.*async def.*to_thread"),
        (generator, {}, TypeError, "coroutine function, not 'generator'.*loop over it"),
        (None, {}, TypeError, "coroutine function"),
        (sound, {"task": (1, 20)}, ValueError, "sound has no parameter 'task'.*there are tasks, seconds"),
        (sound, {"labels": {"task": "x"}}, ValueError, "no parameter 'task'"),
        (sound, {"labels": {"tasks": "x"}}, ValueError, "label for 'tasks', which has no control"),
        (sound, {"title": (1, 2)}, TypeError, "title is for words.*parameter called 'title' cannot"),
        (sound, {"labels": ["tasks"]}, TypeError, "labels is for words"),
        (needs, {}, ValueError, "'tasks' has neither a default nor a control"),
        (sound, {"tasks": 3}, TypeError, "control 'tasks'.*not 3"),
        (sound, {"tasks": "abc"}, TypeError, "control 'tasks'"),
        (sound, {"tasks": (20, 1)}, ValueError, "control 'tasks': the low end, 20, must be below the high end, 1"),
        (sound, {"tasks": (1, 1)}, ValueError, "control 'tasks': the low end"),
        (sound, {"tasks": (1,)}, ValueError, "control 'tasks': a slider is"),
        (sound, {"tasks": (1, 2, 3, 4)}, ValueError, "control 'tasks': a slider is"),
        (sound, {"tasks": ("a", "b")}, ValueError, "control 'tasks': a slider is"),
        (sound, {"tasks": (False, True)}, ValueError, "control 'tasks': a slider is"),
        (sound, {"tasks": (1, float("inf"))}, ValueError, "control 'tasks': a slider is"),
        (sound, {"tasks": (6, 20)}, ValueError, "control 'tasks': the default 5 is not between 6 and 20"),
        (sound, {"tasks": (1, 20, 0)}, ValueError, "control 'tasks': the step"),
        (sound, {"tasks": (1, 20, 30)}, ValueError, "control 'tasks': the step"),
        (sound, {"tasks": (0, 20, 2)}, ValueError, "control 'tasks': the default 5 is not on a step of 2"),
        (sound, {"seconds": (0, 1)}, ValueError, "control 'seconds': the default 0.1 is no whole number"),
        (sound, {"seconds": (0.0, 0.3, 0.07)}, ValueError, "control 'seconds': the default 0.1 is not on a step"),
        (sound, {"kind": (1, 2)}, ValueError, "control 'kind': the default 'a' is not between"),
        (sound, {"kind": []}, ValueError, "control 'kind': an empty list"),
        (sound, {"kind": {}}, ValueError, "control 'kind': an empty dict"),
        (sound, {"kind": ["b", "c"]}, ValueError, "control 'kind': the default 'a' is not among b, c"),
    ],
)
def test_bad_input_is_refused_by_name(function, wrong, kind, message):
    with pytest.raises(kind, match=message):
        asyncio.run(explore(function, **wrong))


def test_a_call_instead_of_a_function_is_explained():
    with pytest.raises(TypeError, match=r"give the function, explore\(sound\)"):
        asyncio.run(explore(sound()))


def test_beside_each_other_they_import_only_the_page_of_ours():
    trees = [ast.parse(inspect.getsource(module)) for module in (sliders.explorer, sliders.widgets)]
    ours = [node.module for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert {module.partition(".")[0] for module in ours} == {"page", "widgets"}


# --- in a kernel --------------------------------------------------------------------------------------------------

SETUP = """
import asyncio, time
from asynclab import begin, end, trace
from asynclab.sliders.explorer import explore
begin()

async def waits(tasks=5, seconds=0.01):
    with trace(f"{tasks} waits") as run:
        await asyncio.gather(*[asyncio.sleep(seconds) for _ in range(tasks)])
    return run
"""
SHOW = """
explorer = await explore(waits, tasks=(1, 20), seconds=(0.0, 60.0, 0.01))
explorer
"""
SAYING = """
former, explorer._function = explorer._function, lambda **values: print("begun") or former(**values)
"""
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def shared():
    with Kernel(notebook_file.ROOT / "notebooks") as kernel:
        assert kernel.run(SETUP).status == "ok"
        yield kernel


@pytest.fixture
def kernel(shared):
    assert shared.run("begin()").status == "ok"
    yield shared
    assert "All clear" in shared.run("await end()").text
    assert shared.log == ""


def shown(kernel):
    """Show the experiment in a cell; return the cell's reply, which the kernel goes on updating."""
    reply = kernel.run(SHOW)
    assert reply.status == "ok", reply.traceback
    return reply


def move(kernel, name, value, subshell=None):
    """Move a slider as a page does: by a message about the widget's model, perhaps to another thread."""
    model = kernel.run(f"print(explorer.controls[{name!r}].model_id)").text.strip()
    send(kernel, model, {"method": "update", "state": {"value": value}, "buffer_paths": []}, subshell)


def send(kernel, model, data, subshell=None):
    message = kernel.client.session.msg("comm_msg", {"comm_id": model, "data": data})
    if subshell:
        message["header"]["subshell_id"] = subshell
    kernel.client.shell_channel.send(message)


def until(kernel, condition, seconds=15):
    kernel._pump_until(condition, seconds, "a result in place")


def title(reply):
    return reply.results[1]["text/plain"].partition(":")[0]


def test_what_a_cell_shows_and_stores(kernel):
    reply = shown(kernel)
    assert [output.output_type for output in reply.outputs] == ["display_data", "display_data"]
    panel, result = reply.results
    assert VIEW in panel and panel["text/plain"].startswith("Controls of “waits”") and "1 to 20" in panel["text/html"]
    assert "<img alt=" in result["text/html"] and result["text/plain"].startswith("5 waits: 5 tasks in")
    stripped = notebook_file._without_widget(reply.outputs[0].copy())
    assert set(stripped.data) == {"text/html", "text/plain"}


def test_set_in_a_later_cell_replaces_the_result_in_place(kernel):
    reply = shown(kernel)
    assert kernel.run("await explorer.set(tasks=3); assert len(explorer.value.tasks) == 4").status == "ok"
    assert title(reply) == "3 waits" and len(reply.results) == 2 and reply.late == 0


@pytest.mark.parametrize("threaded", [False, True], ids=["message", "message to a thread"])
def test_a_page_moves_a_slider(kernel, threaded):
    reply, subshell = shown(kernel), None
    if threaded:  # as JupyterLab does
        request = kernel.client.session.msg("create_subshell_request")
        kernel.client.control_channel.send(request)
        subshell = kernel.client.get_control_msg(timeout=10)["content"]["subshell_id"]
    move(kernel, "tasks", 9, subshell)
    until(kernel, lambda: title(reply) == "9 waits")
    assert len(reply.results) == 2


def test_a_run_waits_for_the_cells_that_run(kernel):
    """A slider moved under Run All: no cell is disturbed, `end()` finds nothing, and the result comes at the end."""
    reply = shown(kernel)
    move(kernel, "tasks", 8)
    cells = [
        kernel.start(code)
        for code in (
            "with trace('another section') as other:\n    await asyncio.sleep(0.6)\nassert len(other.tasks) == 1",
            "await end()",
            "begin()",
        )
    ]
    assert [kernel.wait(cell).status for cell in cells] == ["ok"] * 3
    until(kernel, lambda: title(reply) == "8 waits")


def test_a_cell_waits_for_a_run_and_stop_ends_that_run(kernel):
    reply = shown(kernel)
    assert kernel.run(SAYING).status == "ok"
    move(kernel, "seconds", 50.0)
    until(kernel, lambda: "begun" in reply.text)  # from here on the message that starts a cell waits its turn
    cell = kernel.start("with trace('next') as following:\n    await asyncio.sleep(0)\nprint(len(following.tasks))")
    time.sleep(0.3)
    assert kernel.replies[cell].status == ""
    kernel.interrupt()
    after = kernel.wait(cell, 10)
    assert after.status == "ok" and after.text == "1\n"
    assert "Stopped" in kernel.run("print(explorer._status.value)").text
    assert title(reply) == "5 waits"
    move(kernel, "seconds", 0.02)
    move(kernel, "tasks", 7)
    until(kernel, lambda: title(reply) == "7 waits")


def test_stop_ends_the_first_run_and_the_cell_can_be_run_again(kernel):
    code = SHOW.replace("waits, ", "forever, ")
    forever = "async def forever(tasks=5, seconds=0.0):\n    print('asleep')\n    await asyncio.sleep(60 * on)\non = 1"
    assert kernel.run(forever).status == "ok"
    cell = kernel.start(code)
    kernel.wait_until_printed(cell, "asleep")
    kernel.interrupt()
    assert kernel.wait(cell, 10).status == "error"
    assert kernel.run("on = 0").status == "ok"
    again = kernel.run(code)
    assert again.status == "ok" and again.text == "asleep\n"
    assert "closed" not in kernel.run("await explorer.set(tasks=3)").text


def test_errors_of_a_moved_slider_stand_in_place(kernel):
    assert kernel.run("async def picky(tasks=5):\n    print('run', tasks)\n    return 10 / (tasks - 6)").status == "ok"
    reply = kernel.run("explorer = await explore(picky, tasks=(1, 20))\nexplorer")
    assert reply.text == "run 5\n" and reply.results[1]["text/plain"] == "-10.0"
    move(kernel, "tasks", 6)
    until(kernel, lambda: reply.results[1]["text/plain"] == "ZeroDivisionError: division by zero")
    move(kernel, "tasks", 7)
    until(kernel, lambda: reply.results[1]["text/plain"] == "10.0")
    assert reply.text == "run 5\nrun 6\nrun 7\n", "what it prints belongs to its cell"
