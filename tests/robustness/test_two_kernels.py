"""Kernels that share a folder, or come after a crash: nothing of one reaches another, nothing stale is in the way."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

import notebook_file
from asynclab.checking.progress import VARIABLE, Record, Store
from asynclab.services.postgresql import PostgreSQL
from bad_days import CELL_TIMEOUT, bad_day
from servers import gone, wait_until

DATABASE = PostgreSQL.available()
BEGIN = f"""
import asyncio
from asynclab import Services, begin, end
from asynclab.exercises import exercise
from asynclab.services.postgresql import PostgreSQL

async def look_up(query, names):
    return await asyncio.gather(*[asyncio.to_thread(query, name) for name in names])

begin()
web, server = await Services().start(), PostgreSQL()
address = await server.__aenter__() if {DATABASE} else ""
print(web.pid, server._child.process.pid if {DATABASE} else web.pid, web.api, web.site, web.mail, address, sep="\\n")
"""
CHECK = "ex = exercise('1.4')\nawait ex.check(look_up)"
END = f"await web.stop()\nif {DATABASE}: await server.__aexit__()\nawait end()"


def run(kernel, code):
    reply = kernel.run(code, CELL_TIMEOUT)
    assert reply.problem == ""
    return reply.text


def begun(kernel):
    """Start all servers; return their processes' numbers and their addresses."""
    web, between, *addresses = run(kernel, BEGIN).split("\n")
    return int(web), int(between), addresses


def test_two_at_once_in_one_folder_do_not_meet(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with bad_day() as day, day.kernel() as one, day.kernel() as other:
        cells = [kernel.start(BEGIN) for kernel in (one, other)]
        mine, theirs = (k.wait(cell, CELL_TIMEOUT).text.split() for k, cell in zip((one, other), cells, strict=True))
        assert len(mine) > 5 and set(mine) & set(theirs) <= {"('127.0.0.1',"}
        for kernel in (one, other):
            run(kernel, CHECK)
        assert run(one, END).startswith("All clear")
        assert "requests" in run(other, "print(await web.stats())")
        assert run(other, END).startswith("All clear")
        assert Store(tmp_path).records() == {"1.4": Record(2, True)}


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_crash_that_leaves_servers_stuck_is_not_in_the_way_of_the_next_start():
    with bad_day() as day, day.kernel() as crashed:
        web, between, before = begun(crashed)
        os.kill(web, signal.SIGSTOP)  # it cannot see that its parent is gone
        if DATABASE:  # its server, its folder and its lock stay
            os.kill(between, signal.SIGKILL)
        os.kill(crashed.manager.provisioner.pid, signal.SIGKILL)
        with day.kernel() as fresh:
            *_, after = begun(fresh)
            assert not set(before) & set(after) - {""}
            run(fresh, END)
        assert not gone(web) and (day.files() or not DATABASE)  # stale to the end
        os.kill(web, signal.SIGCONT)
        wait_until(lambda: gone(web), 5)


@pytest.mark.parametrize("vanish", [shutil.rmtree, lambda root: root.rename(root.with_name("elsewhere"))])
def test_a_folder_that_is_moved_or_deleted_under_a_kernel_is_named(vanish):
    with bad_day() as day:
        root = day.temporary / "guide"
        for name in ("data", "notebooks/asynclab"):
            shutil.copytree(notebook_file.ROOT / name, root / name)
        with day.kernel(root / "notebooks") as kernel:
            run(kernel, "from asynclab import Services, begin, end\nbegin()\nweb = await Services().start()")
            vanish(root)
            run(kernel, "await web.stats()\nawait web.stop()")
            refused = kernel.run("await Services().start()", CELL_TIMEOUT)
            assert refused.ename == "ServicesError" and "restart the kernel" in refused.evalue
            assert run(kernel, "await end()").startswith("All clear")
