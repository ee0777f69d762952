"""■ in the middle of any cell: it ends, the next cell works, it works when it is run again, and `end()` has its say.

Within some milliseconds at a cell's beginning and end, ■ means ipykernel itself, which then loses its reply (JupyterLab
shows [*] beside that cell; the next one works all the same), or even ends. So nothing is stopped that soon, and what
counts is the reply of the next cell.
"""

from __future__ import annotations

import time

import pytest

from bad_days import CELL_TIMEOUT, bad_day, cells, every_notebook

SOON = 0.02  # seconds: nobody presses ■ that soon after the beginning
BOUND = 15  # seconds after ■ until the next cell is done, on a busy machine: what blocks the loop runs to its end first


def press_stop(kernel, cell, delay):
    """Run `cell`, press ■ after `delay` seconds, and run another cell at once; return the first one's reply."""
    stopped = kernel.start(cell.source, stop_on_error=False)
    time.sleep(delay)
    kernel.interrupt()
    assert kernel.run("print(6 * 7)", BOUND).text == "42\n"
    return kernel.replies[stopped]


@pytest.mark.parametrize(("path", "fraction"), every_notebook((0.1, 0.5, 0.9), quick=("00_start_here", 0.5)))
def test_every_cell_can_be_stopped_and_run_again(path, fraction):
    *body, the_end = cells(path)
    stops = {}
    with bad_day() as day, day.kernel() as kernel:
        for cell in body:
            began = time.monotonic()
            assert kernel.run(cell.source, CELL_TIMEOUT).problem == "", cell.id
            delay, reply = fraction * (time.monotonic() - began), None
            while delay > SOON and (reply is None or reply.status == "ok"):
                reply = press_stop(kernel, cell, delay)
                stops[cell.id] = reply.ename or reply.status or "no reply"
                delay /= 2  # had it ended? The first run imports what the others find
            if reply is not None:
                assert kernel.run(cell.source, CELL_TIMEOUT).problem == "", cell.id
        said = kernel.run(the_end.source, CELL_TIMEOUT)
        assert kernel.is_alive()
    print(stops, said.text, said.evalue)
    assert said.text.startswith("All clear") or said.ename == "Unfinished", said
