"""What notebook 00 (deeper) says of late output: it goes below the cell that created the task."""

import notebook_file
from kernels import Kernel

CREATES = """
import asyncio

async def print_late():
    await asyncio.sleep(0.2)
    print("printed late")

background = asyncio.create_task(print_late())
"""


def test_a_background_task_prints_below_the_cell_that_created_it():
    with Kernel(notebook_file.ROOT / "notebooks") as kernel:
        creator = kernel.start(CREATES)
        kernel.wait(creator, 60)
        awaiting = kernel.run("print('awaiting'); await background", 60)
        assert "printed late" in kernel.wait(creator, 60).text
        assert awaiting.text == "awaiting\n"
