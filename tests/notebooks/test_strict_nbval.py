"""What must make a notebook's test fail makes it fail. tests/soak/blind_spots.py proves it on a whole project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook, new_output

import notebook_file

IGNORED = "nbval-ignore-output"
GROUP = "async def fail(): raise ValueError\nasync with asyncio.TaskGroup() as group: group.create_task(fail())"
LATE = "async def later():\n    await gate.wait()\n    print('late')\ngate = asyncio.Event()\ntask = "
PICTURE = "from IPython.display import HTML\nHTML('<img alt=\"{}\">')"


def cell(name, source, printed="", tags=(), **changes):
    """A code cell that was executed and printed that."""
    outputs = [new_output("stream", name="stdout", text=printed)] if printed else []
    parts = {"execution_count": 1, "outputs": outputs, "metadata": {"tags": list(tags)}} | changes
    return new_code_cell(source, id=name, **parts)


def picture(alt):
    shown = {"text/html": f'<img alt="{alt}">', "text/plain": "<IPython.core.display.HTML object>"}
    return [new_output("execute_result", shown, execution_count=1)]


# Each cell, and whether it fails.
BROKEN = [
    (False, cell("good", "import asyncio\nprint('3 tasks')", "3 tasks\n")),
    (True, cell("output", "print('3 tasks')", "4 tasks\n")),
    (False, cell("good-picture", PICTURE.format("a: done"), outputs=picture("a: done"))),
    (True, cell("picture", PICTURE.format("a: done"), outputs=picture("b: done"))),
    (True, cell("raises", "1 / 0")),
    # To be blind to a group needs both: it is printed like any text, and this cell's text is not compared.
    (True, cell("group", GROUP, tags=[IGNORED])),
    (True, cell("resource", "open(asyncio.__file__)\nNone")),
    (True, cell("unexecuted", "print(1)", execution_count=None)),
    (True, cell("stored-error", "None", outputs=[new_output("error", ename="E", evalue="", traceback=[])])),
    (False, cell("prints-late", LATE + "asyncio.create_task(later())")),
    (True, cell("late", "gate.set()\nawait task")),
    (False, cell("may-print-late", LATE + "asyncio.create_task(later())", tags=[IGNORED])),
    (False, cell("allowed", "gate.set()\nawait task")),
    (True, cell("dies", "import os\nos.abort()")),
    (True, cell("gone", "None")),
]
# Good cell by cell, and not once more.
ONCE = [
    (False, cell("first", "count = globals().get('count', 0) + 1")),
    (False, cell("second", "assert count == 1")),
]


def test_a_broken_cell_fails_and_no_other(tmp_path: Path) -> None:
    for name, cells in (("broken", BROKEN), ("once", ONCE)):
        notebook_file.write(tmp_path / f"{name}.ipynb", new_notebook(cells=[each for _, each in cells]))
    options = ["-o", "addopts=", "-p", "strict_nbval", "-p", "no:cacheprovider", "-q", "--color=no"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-m", "pytest", *options, "broken.ipynb", "once.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    failed = re.findall(r"^FAILED (\w+)\.ipynb::(\S+)", done.stdout, re.MULTILINE)
    expected = [("broken", each.id) for fails, each in BROKEN if fails]
    assert failed == [*expected, ("broken", "run_all"), ("once", "run_all")], done.stdout + done.stderr
    for words in ("Cell outputs differ", "ExceptionGroup", "never executed", "printed meanwhile", "the kernel died"):
        assert words in done.stdout
    assert "cell 'second': AssertionError" in done.stdout
