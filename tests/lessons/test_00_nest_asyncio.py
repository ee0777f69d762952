"""What notebook 00 says of nest_asyncio: with it, Run All hangs; with nest_asyncio2 it does not."""

from pathlib import Path

import pytest

from kernels import Kernel

CELLS = (
    "import asyncio, {package}\n{package}.apply()",
    "async def answer():\n    await asyncio.sleep(0.05)\n    return 42",
    "print(asyncio.run(answer()))",
    "print(asyncio.run(answer()))",
    "print(await answer())",
)


def run_all(package: str, cwd: Path, timeout: float) -> list[str]:
    """Queue all cells at once, as JupyterLab's Run All does; return what each printed."""
    with Kernel(cwd=cwd) as kernel:
        cells = [kernel.start(code.format(package=package)) for code in CELLS]
        return [kernel.wait(cell, timeout).text for cell in cells]


def test_nest_asyncio_hangs_on_run_all(tmp_path):
    with pytest.raises(TimeoutError):
        run_all("nest_asyncio", tmp_path, timeout=5)


def test_nest_asyncio2_does_not(tmp_path):
    assert run_all("nest_asyncio2", tmp_path, timeout=60) == ["", "", "42\n", "42\n", "42\n"]
