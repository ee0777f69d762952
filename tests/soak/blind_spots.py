"""What must make the suite fail makes it fail, and a good notebook passes: proved on a small project of its own.

tests/notebooks/test_strict_nbval.py is a small part of it for every day.

nbval by itself lets most of these pass. The project has the real settings, plugin, rules and bench; it is run by
`python -m pytest` in a process of its own, as a person would.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

import notebook_file
import render
import sample_notebook

GOOD = "01_good.ipynb"


def cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return the cell with the id `name`."""
    return next(each for each in notebook.cells if each.id == name)


def code(source: str, *tags: str) -> Callable[[NotebookNode], None]:
    """Return a change of the source: the cell `done`, which shows nothing, holds `source`."""

    def change(notebook: NotebookNode) -> None:
        cell(notebook, "done").source = source
        if tags:
            cell(notebook, "done").metadata["tags"] = list(tags)

    return change


def mutate_output(notebook: NotebookNode) -> None:
    """Change one digit of what is stored."""
    [output] = cell(notebook, "count").outputs
    assert output.text == "3 tasks\n"
    output.text = "4 tasks\n"


def mutate_picture(notebook: NotebookNode) -> None:
    """Change one task's name in the picture's alternative text."""
    [output] = cell(notebook, "three-waits").outputs
    html = output.data["text/html"]
    output.data["text/html"] = html.replace("wait 0.02: done", "wait 0.05: done")
    assert output.data["text/html"] != html


def forget_output(notebook: NotebookNode) -> None:
    """Store a cell as if it had never been executed."""
    cell(notebook, "count").update(outputs=[], execution_count=None)
    cell(notebook, "count").metadata.clear()


def print_late(notebook: NotebookNode) -> None:
    """Let a task of one cell print while another cell runs."""
    cell(notebook, "slide").source = (
        "async def later():\n    await gate.wait()\n    print('late')\n\n"
        "gate = asyncio.Event()\ntask = asyncio.create_task(later())"
    )
    cell(notebook, "done").source = "gate.set()\nawait task"


def print_late_knowingly(notebook: NotebookNode) -> None:
    """Do the same in a cell whose output is not compared: a lesson about late output."""
    print_late(notebook)
    cell(notebook, "slide").metadata["tags"].append("nbval-ignore-output")


# Name: (what is changed before the outputs and the hash are stored, what after, the cell or check that fails).
BROKEN: dict[str, tuple[Callable | None, Callable | None, set[str]]] = {
    "output": (None, mutate_output, {"count"}),
    "picture": (None, mutate_picture, {"three-waits"}),
    "raises": (code("1 / 0"), None, {"done", "run_all"}),
    # To be blind needs both: a group is printed like any text, and this cell's text is not compared.
    "group": (
        code(
            "async def fail():\n    raise ValueError\nasync with asyncio.TaskGroup() as group:\n"
            "    group.create_task(fail())",
            "nbval-ignore-output",
        ),
        None,
        {"done", "run_all"},
    ),
    "leak": (code("leak = asyncio.create_task(asyncio.sleep(60))"), None, {"end", "run_all"}),
    "late": (print_late, None, {"done"}),
    "late_allowed": (print_late_knowingly, None, set()),
    "resource": (code("open(asyncio.__file__)\nNone"), None, {"done", "run_all"}),
    "unexecuted": (None, forget_output, {"count", "freshness"}),
    "stale": (None, code("done = False"), {"freshness"}),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with the good notebook, executed and stored, and the broken ones made from it."""
    root = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", "*.ipynb", "test_*")
    for folder in ("notebooks/asynclab", "tests/notebooks", "tests/tools"):
        shutil.copytree(notebook_file.ROOT / folder, root / folder, ignore=ignored)
    for file in ("pyproject.toml", "tests/conftest.py", "tests/notebooks/test_rules.py"):
        shutil.copy(notebook_file.ROOT / file, root / file)

    names = [GOOD] + [f"{number:02d}_{name}.ipynb" for number, name in enumerate(BROKEN, start=2)]
    folder = root / "notebooks"
    notebook_file.write(folder / GOOD, sample_notebook.sample(1, names[1:2]))
    render.render(folder / GOOD)
    good = notebook_file.read(folder / GOOD)
    for number, (name, (before, after, _)) in enumerate(BROKEN.items(), start=2):
        notebook = sample_notebook.sample(number, [*names[number - 2 : number - 1], *names[number : number + 1]])
        if before:
            before(notebook)
        sample_notebook.copy_outputs(good, notebook)
        if after:
            after(notebook)
        notebook_file.write(folder / f"{number:02d}_{name}.ipynb", notebook)
    return root


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in the project and return what came of it."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "--color=no", "-p", "no:cacheprovider", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)


@contextmanager
def busy_machine() -> Iterator[None]:
    """Keep every core busy."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


@pytest.fixture(scope="module")
def report(project: Path) -> str:
    """Return what pytest says of all notebooks."""
    result = run(project, "notebooks", "tests/notebooks/test_rules.py::test_notebook")
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stdout


def failures(report: str, name: str) -> set[str]:
    """Return the cells and checks that failed of the notebook `name`."""
    cells = re.findall(rf"^(?:FAILED|ERROR) notebooks/{name}\.ipynb::(\S+)", report, re.M)
    return {*cells, *re.findall(rf"^(?:FAILED|ERROR) tests/\S+\[{name}-(\w+)\]", report, re.M)}


@pytest.mark.parametrize(("number", "name"), list(enumerate(BROKEN, start=2)), ids=list(BROKEN))
def test_a_broken_notebook_fails_where_it_is_broken(report: str, number: int, name: str) -> None:
    assert failures(report, f"{number:02d}_{name}") == BROKEN[name][2], report


def test_a_good_notebook_passes(report: str) -> None:
    assert failures(report, "01_good") == set(), report


def test_a_good_notebook_passes_again_on_a_busy_machine(project: Path) -> None:
    """By itself, too: naming one notebook loads the same plugin."""
    before = (project / "notebooks" / GOOD).read_bytes()
    with busy_machine():
        result = run(project, "-n", "0", f"notebooks/{GOOD}")
    cells = len(notebook_file.code_cells(notebook_file.read(project / "notebooks" / GOOD)))
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{cells + 1} passed" in result.stdout
    assert (project / "notebooks" / GOOD).read_bytes() == before


def test_a_cell_that_never_ends_and_a_kernel_that_dies(project: Path) -> None:
    """Both are failures of the cell that did it, soon; the cells that follow do not hang."""
    folder = project / "odd"
    folder.mkdir()
    endless = "import time\nwhile True:\n    try:\n        time.sleep(1)\n    except KeyboardInterrupt:\n        pass"
    for name, source in (("endless", endless), ("dies", "import os\nos.abort()")):
        sources = ("x = 1", source, "x = 2")
        cells = [new_code_cell(each, id=f"cell-{i}", execution_count=i) for i, each in enumerate(sources, start=1)]
        notebook_file.write(folder / f"{name}.ipynb", new_notebook(cells=cells))
    result = run(project, "-n", "0", "-rfEx", "--nbval-cell-timeout=3", "odd")
    assert result.returncode == 1, result.stdout
    assert set(re.findall(r"^(\w+) odd/(\w+)\.ipynb::cell-(\d)", result.stdout, re.M)) == {
        ("FAILED", "endless", "2"),
        ("XFAIL", "endless", "3"),
        ("FAILED", "dies", "2"),
        ("FAILED", "dies", "3"),
    }, result.stdout
    assert "still running after 3 seconds" in result.stdout
    assert "the kernel died" in result.stdout
