"""A kernel that is stopped, restarted or ended while its notebook is open, or while it is closed."""

from __future__ import annotations

import socket
from urllib.request import Request, urlopen

import psutil
from nbformat.v4 import new_code_cell

from lab import SAVE, STATUS, Lab, Opened, wait_for


def test_the_stop_button_ends_a_cell_that_awaits(lab: Lab) -> None:
    lab.write(
        "interrupt.ipynb",
        new_code_cell("import asyncio\n\nfrom asynclab import begin\n\nbegin()"),
        new_code_cell("print('asleep')\nawait asyncio.sleep(60)"),
        new_code_cell("await asyncio.sleep(0, 'awake')"),
    )
    with lab.open("interrupt.ipynb") as opened:
        opened.select(0)
        opened.page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
        assert not [output for output in opened.cells()[0]["outputs"] if output.startswith("error")]
        opened.select(1)
        opened.command("notebook:run-cell")
        wait_for(lambda: opened.cells()[1]["outputs"] == ["stream"])
        opened.command("notebook:interrupt-kernel")
        wait_for(lambda: any(output.startswith("error") for output in opened.cells()[1]["outputs"]))
        opened.select(2)
        opened.command("notebook:run-cell")
        wait_for(lambda: opened.cells()[2]["outputs"] == ["execute_result"])


def test_a_restart_ends_a_cell_that_stop_cannot_end(lab: Lab) -> None:
    spin = "async def spins():\n    print('begun')\n    while True:\n        pass\n\nawait spins()"
    lab.write("restart.ipynb", new_code_cell("kept = 1"), new_code_cell(spin), new_code_cell("kept"))
    with lab.open("restart.ipynb") as opened:
        opened.select(0)
        opened.page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
        opened.select(1)
        opened.command("notebook:run-cell")
        wait_for(lambda: opened.cells()[1]["outputs"] == ["stream"])
        opened.command("notebook:interrupt-kernel")
        opened.page.wait_for_timeout(2000)
        assert not opened.cells()[1]["executed"], "it runs on"  # whatever the kernel's status says, on a busy machine
        opened.page.evaluate(WATCH_RESTART)
        opened.page.get_by_role("button", name="Restart the kernel", exact=True).click()
        opened.page.locator(".jp-Dialog button.jp-mod-accept").click()
        opened.page.evaluate("window.restarted")
        assert opened.cells()[1]["outputs"] == ["stream"]
        opened.select(2)
        opened.command("notebook:run-cell")
        wait_for(lambda: opened.cells()[2]["outputs"] == ["error: NameError: name 'kept' is not defined"])


WATCH_RESTART = """() => { window.restarted = new Promise(resolve => {
    let begun = false;
    jupyterapp.shell.currentWidget.sessionContext.statusChanged.connect((_, status) => {
        begun ||= status.endsWith('restarting');
        if (begun && status === 'idle') resolve();
    });
}); }"""


def test_a_tab_is_closed_and_later_its_kernel_ended(lab: Lab) -> None:
    lab.write(
        "closed.ipynb", *[new_code_cell(source) for source in (SERVED, ASLEEP, "kept", "await web.stop()\nawait end()")]
    )
    with lab.open("closed.ipynb") as opened:
        served = run(opened, 0).split()
        opened.page.evaluate(SAVE)
        opened.select(1)
        opened.command("notebook:run-cell")
        wait_for(lambda: opened.cells()[1]["outputs"])
        opened.page.close()  # "asleep" was not saved
    with lab.open("closed.ipynb") as opened:  # its kernel has gone on
        assert [cell["outputs"] for cell in opened.cells()] == [["stream"], [], [], []]
        opened.command("notebook:interrupt-kernel")
        assert run(opened, 2) == "'the first kernel'"
        opened.page.evaluate(SAVE)
        kernel = opened.page.evaluate(KERNEL)
        opened.page.close()
    processes = [psutil.Process(int(served[0])), *psutil.Process(int(served[0])).children(recursive=True)]
    assert len(processes) > 1
    cull(lab, kernel)
    assert not psutil.wait_procs(processes, timeout=20)[1]
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", int(served[1])))
    with lab.open("closed.ipynb") as opened:
        assert [cell["outputs"] for cell in opened.cells()] == [["stream"], [], ["execute_result"], []]
        assert opened.run_all() is True
        assert not opened.complaints


def test_a_tab_sleeps_while_its_kernel_is_ended(lab: Lab) -> None:
    lab.write("slept.ipynb", new_code_cell("kept = 1\nkept"), new_code_cell("kept"))
    with lab.open("slept.ipynb") as opened:
        assert run(opened, 0) == "1"
        opened.page.context.set_offline(True)
        cull(lab, opened.page.evaluate(KERNEL))
        opened.page.context.set_offline(False)
        opened.page.get_by_text("| Disconnected").wait_for()
        wait_for(lambda: opened.page.evaluate(STATUS) is None)
        run(opened, 1)
        assert opened.cells()[1]["outputs"] == ["error: NameError: name 'kept' is not defined"]  # a new kernel, unasked
        assert opened.run_all() is True


KERNEL = "jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
SERVED = """\
import asyncio
import os
from pathlib import Path
from asynclab import Services, begin, end
begin()
web = await Services().start()
kept = "the first kernel"
print(os.getpid(), web.url("/").split(":")[2].strip("/"))"""
ASLEEP = """\
first = not Path("begun").exists()
Path("begun").touch()
print("asleep")
await asyncio.sleep(60 if first else 0)"""


def run(opened: Opened, index: int) -> str:
    """Run a cell to its end, and return what it shows."""
    opened.select(index)
    opened.page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
    return opened.page.locator(".jp-Cell").nth(index).locator(".jp-OutputArea-output").last.inner_text().strip()


def cull(lab: Lab, kernel: str) -> None:
    """End a kernel as a server does to one that was left alone for an hour (cull_idle_timeout): it is not asked."""
    headers = {"Authorization": f"token {lab.token}"}
    urlopen(Request(f"{lab.url}api/kernels/{kernel}", method="DELETE", headers=headers)).close()
