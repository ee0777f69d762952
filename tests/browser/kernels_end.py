"""A kernel that is stopped, restarted or ended while its notebook is open, or while it is closed."""

from __future__ import annotations

from nbformat.v4 import new_code_cell

from lab import STATUS, Lab, wait_for


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
        wait_for(lambda: opened.cells()[1]["outputs"] == ["stream"], 10)
        opened.command("notebook:interrupt-kernel")
        wait_for(lambda: any(output.startswith("error") for output in opened.cells()[1]["outputs"]), 5)
        opened.select(2)
        opened.command("notebook:run-cell")
        wait_for(lambda: opened.cells()[2]["outputs"] == ["execute_result"], 10)


def test_a_restart_ends_a_cell_that_stop_cannot_end(lab: Lab) -> None:
    spin = "async def spins():\n    print('begun')\n    while True:\n        pass\n\nawait spins()"
    lab.write("restart.ipynb", new_code_cell("kept = 1"), new_code_cell(spin), new_code_cell("kept"))
    with lab.open("restart.ipynb") as opened:
        opened.select(0)
        opened.page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
        opened.select(1)
        opened.command("notebook:run-cell")
        wait_for(lambda: opened.cells()[1]["outputs"] == ["stream"], 10)
        opened.command("notebook:interrupt-kernel")
        opened.page.wait_for_timeout(2000)
        assert opened.page.evaluate(STATUS) == "busy"
        opened.page.get_by_role("button", name="Restart the kernel", exact=True).click()
        opened.page.locator(".jp-Dialog button.jp-mod-accept").click()
        wait_for(lambda: opened.page.evaluate(STATUS) == "idle", 60)
        assert opened.cells()[1]["outputs"] == ["stream"]
        opened.select(2)
        opened.command("notebook:run-cell")
        wait_for(lambda: opened.cells()[2]["outputs"] == ["error: NameError: name 'kept' is not defined"], 10)
