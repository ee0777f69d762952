"""nbval without its blind spots: a pytest plugin that runs each notebook twice, in one kernel.

First cell by cell, and compares each with what is stored; then as Run All does.

nbval 0.11 finds a notebook's cells, blanks what may differ (nbval_sanitize.cfg) and compares. But it lets pass
an uncaught ExceptionGroup (it looks for an error among the outputs; IPython prints a group as text), a cell that was
never executed (nothing is stored, so nothing is compared), whatever a task prints after its cell has ended, and it
knows neither updated nor cleared displays. Hence the cells are executed here, by `kernels.Kernel`, and only the
rest is nbval's.

pyproject.toml loads the plugin with `-p strict_nbval`, so that it is there for the whole suite and for
`pytest notebooks/01_….ipynb` alike, without a conftest.py among the notebooks. nbval's own options for comments,
tags and time limits hold; --nbval itself is not needed.
"""

# ruff: noqa: E402 (one import is to be spared before the others)

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# jsonschema looks for it, to check a kind of address that no notebook has. To import it takes most of a second.
sys.modules.setdefault("rfc3987_syntax", None)

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile, coalesce_streams

import notebook_file
from kernels import Kernel, Reply

# What an earlier run left in a variable, replaced by this run's. Python shows this to nobody who has not asked for it.
REPLACED = re.compile(r"^.*ResourceWarning: Implicitly cleaning up <TemporaryDirectory.*\n(?:  .*\n)?", re.MULTILINE)


def pytest_configure(config: pytest.Config) -> None:
    """Take the place of nbval's own collection, whatever the command line says."""
    config.option.nbval = config.option.nbval_lax = False
    if config.option.nbval_sanitize_with is None:
        config.option.nbval_sanitize_with = str(Path(__file__).with_name("nbval_sanitize.cfg"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect every notebook."""
    return StrictNotebook.from_parent(parent, path=file_path) if file_path.suffix == ".ipynb" else None


class StrictNotebook(IPyNbFile):
    """A notebook: one kernel, each code cell a test named by the cell's id, and a test `run_all`."""

    kernel: Kernel | None = None
    late = 0  # outputs that came after their cells had been compared, as far as they were complained about

    def collect(self) -> Iterator[StrictCell]:
        for item in super().collect():
            yield StrictCell.from_parent(
                self, name=item.cell.id, cell_num=item.cell_num, cell=item.cell, options=item.options
            )
        yield RunAll.from_parent(self, name="run_all")

    def setup(self) -> None:
        self.setup_sanitize_files()
        self.compared: list[str] = []  # the executions of cells whose output is compared
        self.kernel = Kernel(self.path.parent, startup_timeout=self.config.option.nbval_kernel_startup_timeout)

    def teardown(self) -> None:
        if self.kernel is not None:
            self.kernel.stop()


class StrictCell(IPyNbCell):
    """A code cell: it must run without error, and print and show what is stored."""

    def runtest(self) -> None:
        if self.options["skip"]:
            pytest.skip("tagged nbval-skip")
        reply = self._execute()
        if reply.status != "ok":
            self.raise_cell_error(
                f"the cell ended with {reply.ename or reply.status}", "\n".join(reply.traceback) or reply.stderr
            )
        if self.cell.execution_count is None:
            self.raise_cell_error("the cell was never executed, so nothing is compared: run `make render`")
        if any(output.output_type == "error" for output in self.cell.outputs):
            self.raise_cell_error("an error is stored as the cell's output: catch it and explain it")
        if self.options["check"]:
            outputs = copy.deepcopy([reply.outputs, self.cell.outputs])  # coalesce_streams changes what it is given
            if not self.compare_outputs(*map(coalesce_streams, outputs)):
                self.raise_cell_error("Cell outputs differ", "\n".join(self.comparison_traceback))

    def _execute(self) -> Reply:
        notebook, limit = self.parent, self.config.option.nbval_cell_timeout
        if not notebook.kernel.is_alive():
            self.raise_cell_error("the kernel is gone")
        message = notebook.kernel.start(self.cell.source, stop_on_error=False)
        if self.options["check"]:
            notebook.compared.append(message)
        try:
            reply = notebook.kernel.wait(message, limit)
        except TimeoutError:
            notebook.timed_out = True  # nbval then expects the cells that follow to fail, and says why
            notebook.kernel.stop()
            self.raise_cell_error(f"the cell was still running after {limit:g} seconds")
        late = sum(notebook.kernel.replies[each].late for each in notebook.compared)
        if late > notebook.late:
            notebook.late = late
            self.raise_cell_error(
                "a task or process of an earlier cell printed meanwhile: that is compared with nothing. Await it in "
                "its own cell and print from a list; if late output is the lesson, tag that cell nbval-ignore-output"
            )
        return reply


class RunAll(pytest.Item):
    """Run All as JupyterLab does it: every cell is sent at once, before the first has ended.

    It comes after the comparison, in the same kernel, where every name is known already. By itself
    (`pytest notebooks/01_….ipynb::run_all`) it has a fresh one.
    """

    def runtest(self) -> None:
        kernel, limit = self.parent.kernel, self.config.option.nbval_cell_timeout
        if not kernel.is_alive():
            pytest.fail("the kernel is gone", pytrace=False)
        cells = notebook_file.code_cells(self.parent.nb)
        sent = [kernel.start(cell.source) for cell in cells]
        for cell, message in zip(cells, sent, strict=True):
            reply = kernel.wait(message, limit)
            problem, said = reply.problem, REPLACED.sub("", reply.stderr)
            if said and not any(output.get("name") == "stderr" for output in cell.outputs):
                problem = problem or f"it prints to stderr: {said}"
            if problem:
                pytest.fail(f"cell {cell.id!r}: {problem}", pytrace=False)
        assert kernel.started[-len(sent) :] == sent
        assert kernel.log == ""

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.parent.name}::{self.name}"
