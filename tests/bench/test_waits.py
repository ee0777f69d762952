"""Attacks on asynclab.waits: machines that have no room, a measurement that hangs or dies, an interrupt amid it."""

import asyncio
import math
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from asynclab import waits
from asynclab.plots.sweep import Point

POSIX = pytest.mark.skipif(os.name != "posix", reason="ulimit is POSIX's")


def grown(sizes, **options):
    return asyncio.run(waits.growth(sizes, **options))


@pytest.fixture
def instead(monkeypatch):
    """Let a command of the shell, in which "$@" is ours, run in place of the processes that measure."""
    genuine = waits._started

    def instead(script):
        monkeypatch.setattr(waits, "_started", lambda command, out: genuine(["sh", "-c", script, "sh", *command], out))

    return instead


others = set()  # processes of other tests


@pytest.fixture(autouse=True)
def ours_only():
    others.update(psutil.Process().children(recursive=True))


def children():
    return [each for each in psutil.Process().children(recursive=True) if each not in others]


def ended(processes):
    """Return whether all of them end soon; one that nobody clears away has ended, too."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not any(map(runs, processes)):
            return True
        time.sleep(0.01)
    return False


def runs(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_each_way_waits_as_it_says():
    result = grown([1, 8], seconds=0.03)
    assert result.unmeasured == {} and result.stopped == {}
    assert result["sequential"][8].median >= 8 * 0.03
    for way in ("threads", "asyncio", "processes"):
        assert result[way][8].median >= 0.03
    assert result.ratio("asyncio", 8) > 1.5
    held = [result[way][8].memory for way in waits.WAYS]
    assert max(held[:3]) < 2**20 < 8 * 2**20 < held[3]
    assert children() == []
    shown = result._repr_mimebundle_()
    assert "1 to 8 waits of 30 ms" in shown["text/plain"] and "open at once" in shown["text/plain"]


def test_memory_grows_with_what_waits(monkeypatch):
    monkeypatch.setattr(waits, "WAYS", ("threads", "asyncio"))
    result = grown([100, 2000], seconds=0.01)
    thread, task = (result[way][2000].memory / 2000 for way in ("threads", "asyncio"))
    assert 500 < task < 5_000 < thread < 100_000


def test_what_would_take_too_long_or_hold_too_much_is_spared(monkeypatch):
    asked = []

    async def measured(way, size, seconds, patience):
        asked.append((way, size))
        taken = {"sequential": size, "processes": size / 100}.get(way, 1) * seconds
        return Point((taken,), None, size * {"processes": 2**23}.get(way, 1))

    monkeypatch.setattr(waits, "measure_once", measured)
    result = grown(waits.SIZES)
    assert [size for way, size in asked if way == "sequential"] == [1, 10]
    assert [size for way, size in asked if way == "processes"] == [1, 10]
    assert [size for way, size in asked if way == "asyncio"] == list(waits.SIZES)
    assert result.unmeasured == {"processes": "100 would hold 800 MiB"}
    assert result.stopped == {"sequential": 100, "processes": 100}
    assert "processes was not measured from waits = 100 on: 100 would hold 800 MiB." in result.text()
    assert result.expected("sequential", 10_000) == pytest.approx(500)


@POSIX
def test_no_room_for_so_many_threads(instead):
    instead('ulimit -v 900000; exec "$@"')  # of address space: each thread wants 8 MiB of it for its stack
    result = grown([1, 2, 3000], seconds=0.3)  # or the first have ended before the limit is reached
    why = result.unmeasured["threads"]
    assert why.startswith("cannot start more than ") and why.endswith(" threads here")
    assert 2 <= int(why.split()[4].replace(",", "")) < 3000
    assert len(result["threads"][2].runs) == 1 and result["threads"][3000].runs == ()
    assert len(result["asyncio"][3000].runs) == 1
    said = f"threads was not measured from waits = 3,000 on: {why}."
    assert said in result.text() and said in result.alt() and said in result._repr_mimebundle_()["text/html"]
    assert math.isnan(result.ratio("threads", 3000, "asyncio")) and children() == []


@POSIX
def test_no_room_for_so_many_processes(instead):
    instead('ulimit -n 40; exec "$@"')  # descriptors, of which each process takes a few
    result = grown([1, 30], seconds=0.01)
    assert result.unmeasured.keys() == {"processes"} and "processes here" in result.unmeasured["processes"]
    assert len(result["processes"][1].runs) == 1 and children() == []


@POSIX
@pytest.mark.parametrize(("script", "why"), [("exit 3", "ended with code 3"), ("kill -9 $$", "ended with code -9")])
def test_a_process_that_says_nothing(instead, script, why):
    instead(script)
    result = grown([1, 2])
    assert all(why in result.unmeasured[way] for way in waits.WAYS)
    assert result._repr_mimebundle_()["text/html"] and math.isnan(result.expected("asyncio", 2))


def test_a_process_that_cannot_be_started(monkeypatch):
    def refuse(command, output):
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(waits, "_started", refuse)
    assert grown([1, 2]).unmeasured["asyncio"] == "BlockingIOError: Resource temporarily unavailable"


@POSIX
def test_a_measurement_without_end_is_given_up(instead):
    instead("sleep 60 & wait")
    began = time.monotonic()
    result = grown([1, 2], budget=0.05)
    assert time.monotonic() - began < 30
    assert result.stopped == dict.fromkeys(waits.WAYS, 1) and result.unmeasured == {}
    assert children() == []


@pytest.mark.parametrize("way", waits.WAYS)
def test_cancelled_it_leaves_no_process(way, monkeypatch):
    monkeypatch.setattr(waits, "WAYS", {way: way})

    async def main():
        task = asyncio.create_task(waits.growth([8, 9], seconds=30, budget=60))
        for _ in range(3000):
            if len(begun := children()) > (8 if way == "processes" else 0):
                break
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return begun

    begun = asyncio.run(main())
    assert begun and ended(begun)


@POSIX
def test_without_its_parent_a_process_that_waits_ends():
    command = [sys.executable, "-P", waits.__file__, "processes", "2", "0.5"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as measuring:
        began = psutil.Process(measuring.pid)
        while len(started := began.children()) < 3:  # and the one that tracks resources
            time.sleep(0.01)
        measuring.send_signal(signal.SIGKILL)
    assert ended(started)


@pytest.mark.parametrize("wrong", [{"sizes": [10, 1]}, {"sizes": [0, 1]}, {"seconds": 0}, {"budget": math.nan}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must be"):
        asyncio.run(waits.growth(**wrong))


def test_the_loop_is_free_meanwhile():
    async def main():
        beats = 0

        async def beat():
            nonlocal beats
            while True:
                await asyncio.sleep(0.005)
                beats += 1

        heart = asyncio.create_task(beat())
        await waits.growth([1, 2], seconds=0.2)
        heart.cancel()
        return beats

    assert asyncio.run(main()) > 20
