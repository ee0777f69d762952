"""A kernel whose bad day leaves traces that can be found: its processes, the ports they listen on, its files."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from nbformat import NotebookNode

import notebook_file
from kernels import Kernel

CELL_TIMEOUT = 120  # seconds, as in the tests of the notebooks
_MARK = "ASYNCIO_GUIDE_BAD_DAY"


class Day:
    """A folder for temporary files, and a mark in the environment, that all have who descend from the kernel."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary

    @contextlib.contextmanager
    def kernel(self, cwd: Path = notebook_file.ROOT / "notebooks") -> Iterator[Kernel]:
        """Start a kernel of this day."""
        ours = {_MARK: str(self.temporary)} | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temporary))
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            kernel = Kernel(cwd)
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        with kernel:
            yield kernel

    def processes(self) -> list[psutil.Process]:
        """Return what lives of the kernel and of all who descend from it, whoever their parent is by now."""
        return [each for each in psutil.process_iter() if self._is_ours(each)]

    def _is_ours(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            # A PostgreSQL writes its title over its environment; but it lives in a temporary folder.
            marked = process.environ().get(_MARK) == str(self.temporary)
            return marked or process.cwd().startswith(str(self.temporary))
        return False

    def ports(self) -> set[int]:
        """Return the ports on which they listen."""
        ports = set()
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                ports |= {each.laddr.port for each in process.net_connections() if each.status == psutil.CONN_LISTEN}
        return ports

    def files(self) -> list[str]:
        """Return what lies in the temporary folder."""
        return sorted(each.name for each in self.temporary.iterdir())


@contextlib.contextmanager
def bad_day() -> Iterator[Day]:
    """Begin a bad day; after it, nothing is left of it."""
    # Not pytest's folder, through which nobody may pass, whom root lends its PostgreSQL.
    temporary = Path(tempfile.mkdtemp(prefix="bad-day-"))
    temporary.chmod(0o755)
    day = Day(temporary)
    try:
        yield day
    finally:
        for process in day.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        shutil.rmtree(temporary, ignore_errors=True)  # what is just ending may still write


def every_notebook(variants: Iterable[float], quick: tuple[str, float]) -> list[Any]:
    """Return a test's parameters: each notebook in each variant. All but `quick`, a name and a variant, soak."""
    return [
        pytest.param(path, each, id=f"{path.stem}-{each}", marks=[pytest.mark.soak] * ((path.stem, each) != quick))
        for path in notebook_file.paths()
        for each in variants
    ]


def cells(path: Path) -> list[NotebookNode]:
    """Return the code cells of the notebook at `path`."""
    return notebook_file.code_cells(notebook_file.read(path))
