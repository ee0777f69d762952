"""Every notebook survives what a learner does with it: Run All, and running each cell again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import stored
from kernels import Kernel

CELL = 120.0  # seconds after which a cell counts as hung


class Runs:
    """The tests of one notebook. Each notebook has a class of its own, made below."""

    path: Path

    @pytest.fixture
    def kernel(self) -> Iterator[Kernel]:
        """A fresh kernel where the notebook is."""
        with Kernel(self.path.parent) as kernel:
            yield kernel

    def test_run_all(self, kernel: Kernel) -> None:
        """As JupyterLab does it: every cell is sent at once, before the first has ended."""
        cells = stored.code_cells(stored.read(self.path))
        sent = [kernel.start(cell.source) for cell in cells]
        for cell, message in zip(cells, sent, strict=True):
            reply = kernel.wait(message, CELL)
            problem = "\n".join([f"{reply.ename}: {reply.evalue}", *reply.traceback, reply.stderr])
            assert reply.status == "ok", f"cell {cell.id!r}: {problem}"
            assert not reply.errors, f"cell {cell.id!r} shows {reply.errors}"
            expected = any(output.get("name") == "stderr" for output in cell.outputs)
            assert expected or not reply.stderr, f"cell {cell.id!r} prints to stderr: {reply.stderr}"
        assert kernel.started == sent
        assert kernel.log == ""

    def test_every_cell_twice(self, kernel: Kernel) -> None:
        """Whoever runs a cell a second time, to see it again, can go on."""
        for cell in stored.code_cells(stored.read(self.path)):
            for time in ("first", "second"):
                reply = kernel.run(cell.source, CELL)
                problem = "\n".join([f"{reply.ename}: {reply.evalue}", *reply.traceback, reply.stderr])
                assert reply.status == "ok", f"cell {cell.id!r}, the {time} time: {problem}"
                assert not reply.errors, f"cell {cell.id!r}, the {time} time, shows {reply.errors}"
        assert kernel.log == ""


# One class for each notebook, because --dist loadscope spreads classes over the workers, not the tests of one module.
for _path in stored.paths():
    globals()[f"Test_{_path.stem}"] = type(f"Test_{_path.stem}", (Runs,), {"path": _path})
