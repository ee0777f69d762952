"""What notebook 00 says of the Stop button: what it ends, what it ends late, and what it never ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import notebook_file
from kernels import Kernel

SETUP = """
import asyncio, time
from asynclab import begin
begin()

async def sleeps():
    print("begun")
    time.sleep(2)
    print("slept to its end")

async def spins():
    print("begun")
    while True:
        pass
"""

BLOCKS_BY_ITSELF = """
await asyncio.sleep(0)
print("begun")
time.sleep(2)
print("slept to its end")
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """One kernel for all cells that end."""
    with Kernel(notebook_file.ROOT / "notebooks") as kernel:
        assert kernel.run(SETUP).status == "ok"
        yield kernel


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("await asyncio.sleep(60)", "CancelledError"),
        ("await asyncio.create_task(asyncio.sleep(60))", "CancelledError"),
        ("time.sleep(60)", "KeyboardInterrupt"),
        ("while True: pass", "KeyboardInterrupt"),
    ],
)
def test_what_it_ends(kernel: Kernel, code: str, error: str) -> None:
    cell = kernel.start(f"print('begun')\n{code}")
    kernel.wait_until_printed(cell, "begun")
    kernel.interrupt()
    assert kernel.wait(cell, 30).ename == error


@pytest.mark.parametrize("code", ["await sleeps()", "await asyncio.create_task(sleeps())", BLOCKS_BY_ITSELF])
def test_what_blocks_the_loop_runs_to_its_end(kernel: Kernel, code: str) -> None:
    cell = kernel.start(code)
    kernel.wait_until_printed(cell, "begun")
    kernel.interrupt()
    assert "slept to its end" in kernel.wait(cell, 30).text


def test_a_loop_that_never_waits_is_never_ended() -> None:
    with Kernel(notebook_file.ROOT / "notebooks") as kernel:
        assert kernel.run(SETUP).status == "ok"
        cell = kernel.start("await spins()")
        kernel.wait_until_printed(cell, "begun")
        kernel.interrupt()
        with pytest.raises(TimeoutError):
            kernel.wait(cell, 2)
