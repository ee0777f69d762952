"""Execute the notebooks whose code changed and store their outputs: `make render`.

    python tests/tools/render.py                 those that changed
    python tests/tools/render.py 01 05           of these, those that changed
    python tests/tools/render.py --force [01]    all, or these, changed or not
    python tests/tools/render.py --check         execute nothing; list what `make render` would change, and fail if any

A notebook whose code raises, at first or when a cell is run a second time, is left as it was.
"""

from __future__ import annotations

import argparse
import copy
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

import notebook_file

sys.path.insert(0, str(notebook_file.ROOT / "notebooks"))  # this is run as a script, too

import exercise_cells
from asynclab.checking.exercise import Exercise
from asynclab.exercises import all_exercises
from kernels import Kernel, launch_options, new_manager

CELL_TIMEOUT = 120  # seconds, as in the tests
_SCREEN = 20  # lines of a traceback that fit beside what failed
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class RenderError(Exception):
    """A notebook could not be executed to its end; the message is for the person who ran the command."""


def execute(path: Path) -> NotebookNode:
    """Return the notebook at `path` with the outputs of a fresh run, in the committed form; the file stays as it is.

    Raises RenderError, naming the cell, if one raises, runs too long or kills the kernel.
    """
    notebook = notebook_file.read(path)
    for cell in notebook_file.code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    running: list[str] = []  # the ids of the cells begun; the last one is the one to blame
    with tempfile.TemporaryDirectory(prefix="render-") as directory:
        options = launch_options(directory)
        client = NotebookClient(
            notebook,
            km=new_manager(AsyncKernelManager),
            extra_arguments=options.pop("extra_arguments"),
            timeout=CELL_TIMEOUT,
            record_timing=False,
            store_widget_state=False,
            on_cell_start=lambda cell, cell_index: running.append(cell.id),
        )
        try:
            client.execute(cwd=str(path.parent), stderr=subprocess.DEVNULL, cleanup_kc=True, **options)
        except CellTimeoutError:
            problem = f"still running after {CELL_TIMEOUT} seconds"
        except DeadKernelError:
            problem = "the kernel died"
        except CellExecutionError as error:
            problem = str(error)
        else:
            notebook.metadata[notebook_file.OWN] = {"source_hash": notebook_file.source_hash(notebook)}
            return notebook_file.tidy(notebook)
    raise RenderError(f"{path.name}, cell {running[-1]!r}: {_last(problem)}")


def run_each_cell_twice(path: Path) -> None:
    """Run the notebook at `path` as whoever runs each cell a second time, to see it again, and then goes on.

    Raises RenderError, naming the cell, if one raises, runs too long or kills the kernel.
    """
    with Kernel(path.parent) as kernel:
        for cell in notebook_file.code_cells(notebook_file.read(path)):
            for time in ("first", "second"):
                try:
                    problem = kernel.run(cell.source, CELL_TIMEOUT).problem
                except (TimeoutError, RuntimeError) as error:
                    problem = str(error)
                if problem:
                    raise RenderError(f"{path.name}, cell {cell.id!r}, run the {time} time: {_last(problem)}")
        if kernel.log:
            raise RenderError(f"{path.name}, each cell run twice: the kernel says {_last(kernel.log)}")


def _last(text: str) -> str:
    """Return the end of `text`, as much as fits beside what failed, without its colours."""
    lines = _ANSI.sub("", text).strip().splitlines()
    return "\n".join(["…"] * (len(lines) > _SCREEN) + lines[-_SCREEN:])


def exercises_of(path: Path) -> list[Exercise]:
    """Return the exercises of the chapter whose notebook is at `path`."""
    return [each for each in all_exercises() if each.folder.parent.name == path.stem]


def outdated(path: Path) -> str:
    """Return what `make render` would change in the notebook at `path`, or "" for nothing."""
    notebook = notebook_file.read(path)
    if exercise_cells.fill(notebook, exercises_of(path)):
        return "its exercises are not those of their folders"
    if not notebook_file.is_fresh(notebook):
        return "the stored outputs are not those of this code"
    if notebook_file.text(notebook_file.tidy(copy.deepcopy(notebook))) != path.read_text("utf-8"):
        return "not in the committed form (metadata, hidden outputs)"
    return ""


def render(path: Path, force: bool = False) -> str:
    """Bring the notebook at `path` up to date and return what was done, in words. Raises RenderError."""
    notebook = notebook_file.read(path)
    if exercise_cells.fill(notebook, exercises_of(path)):
        notebook_file.write(path, notebook)
    if force or not notebook_file.is_fresh(notebook):
        began = time.perf_counter()
        executed = execute(path)
        run_each_cell_twice(path)
        notebook_file.write(path, executed)
        return f"executed in {time.perf_counter() - began:.1f} s"
    if outdated(path):
        notebook_file.write(path, notebook_file.tidy(notebook))
        return "tidied"
    return "unchanged"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="render.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="beginnings of file names, such as 01")
    parser.add_argument("--force", action="store_true", help="execute also what did not change")
    parser.add_argument("--check", action="store_true", help="change nothing, exit with 1 if there is something to do")
    options = parser.parse_args(arguments)
    try:
        paths = notebook_file.paths(options.names)
    except ValueError as error:
        parser.error(str(error))
    if options.check:
        reasons = {path.name: reason for path in paths if (reason := outdated(path))}
        for name, reason in reasons.items():
            print(f"{name}: {reason}")
        print("Run `make render`." if reasons else f"Up to date: {len(paths)} notebooks.")
        return bool(reasons)
    # One after the other: what they measure deserves a quiet machine.
    for path in paths:
        try:
            print(f"{path.name}: {render(path, options.force)}", flush=True)
        except RenderError as error:
            print(f"{error}\nThe file is unchanged.", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
