"""Attacks on what chapter 4 teaches about files: process_files, write_atomically, and what it says of the guide's.

What depends on threads is held at a gate, so that nothing here depends on how busy the machine is.
"""

import asyncio
import contextlib
import errno
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynclab.taught import NOTEBOOKS, taught
from powerless import powerless

m = taught(4)
PIECE = 2**20  # what `size_of` reads at once
posix = pytest.mark.skipif(os.name != "posix", reason="about modes, links and limits of POSIX")


NOTEBOOK = json.loads((NOTEBOOKS / "04_async_context_managers.ipynb").read_text(encoding="utf-8"))
IDS = "guide-file-operations", "guide-process-files"
GUIDES = "\n\n".join(["import asyncio", *("".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["id"] in IDS)])
guide = {}
exec(GUIDES, guide)


def child(script, *arguments, **options):
    """Start a Python in which `m` is what the chapter teaches, to run `script`."""
    begin = "import asyncio, os, resource, sys\nfrom asynclab.taught import taught\nm = taught(4)\n"
    command = [sys.executable, "-W", "error", "-c", begin + script, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(NOTEBOOKS)}
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, **options)


def said(script, *arguments):
    """Return what a child says before it ends."""
    with child(script, *arguments) as running:
        output, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    return output


class Gate:
    """Stands in for a function: whatever calls it waits here, in a thread, until the gate is opened."""

    def __init__(self, function):
        self.function, self.calls, self.threads = function, [], set()
        self._came, self._open = threading.Semaphore(0), threading.Event()

    def __call__(self, *arguments):
        self.calls.append(arguments)
        self.threads.add(threading.current_thread())
        self._came.release()
        assert self._open.wait(30), "nobody opened the gate"
        return self.function(*arguments)

    def open(self):
        self._open.set()

    async def reached(self, count=1):
        for _ in range(count):
            assert await asyncio.to_thread(self._came.acquire, timeout=30), f"only {len(self.calls)} came"


async def cancelled_at(gate, task, times):
    """Cancel `task` `times` times while its threads wait at the gate; open it when the task had its chance to leave."""
    for _ in range(times):
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0.001)
    assert not task.done(), "left while a thread was still at work"
    gate.open()
    await asyncio.wait([task])
    assert task.cancelled()


# ---------------------------------------------------------------- process_files


BAD = {  # what is there under the name "bad", or the name itself: the beginning, and more, of what is said of it
    "missing": (None, "FileNotFoundError: [Errno … No such file or directory"),
    "folder": (Path.mkdir, "IsADirectoryError: [Errno … Is a directory"),
    "locked": (lambda path: (path.write_bytes(b"x"), path.chmod(0)), "PermissionError: [Errno … Permission denied"),
    "below a file": (lambda path: path.parent.joinpath("good"), "NotADirectoryError: [Errno … Not a directory"),
    "a link to itself": (lambda path: path.symlink_to(path), "OSError: [Errno … Too many levels of symbolic links"),
    "latin-1": (
        lambda path: path.write_bytes("à la".encode("latin-1")),
        "UnicodeDecodeError: … invalid continuation byte",
    ),
    "cut off": (lambda path: path.write_bytes("crème €".encode()[:-1]), "UnicodeDecodeError: … unexpected end of data"),
    "wrong far down": (
        lambda path: path.write_bytes(b"x" * PIECE + b"\xff"),
        "UnicodeDecodeError: … invalid start byte",
    ),
    "x" * 5000: (None, "OSError: [Errno … File name too long"),
    "nul\0": (None, "ValueError: embedded null byte"),
    "\ud800": (None, "UnicodeEncodeError: … surrogates not allowed"),
    3: (None, "TypeError: expected str, bytes or os.PathLike object, not int"),
    None: (None, "TypeError: expected str, bytes or os.PathLike object, not NoneType"),
}


@posix
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: repr(bad)[:20])
def test_a_bad_file_is_told_in_words_and_spoils_no_other(bad):
    made, words = BAD[bad]
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path: a powerless user could not enter it
        Path(folder).chmod(0o755)
        good = Path(folder, "good")
        good.write_text("crème €", encoding="utf-8")
        name = os.path.join(folder, bad) if isinstance(bad, str) else bad
        if bad == "below a file":
            name = str(good / "below")
        elif made:
            made(Path(name))
        names = [str(good), name, good, name, str(good)]
        with powerless():
            results = asyncio.run(m.process_files(names))
    right = [{"filename": each, "size": 10} for each in (str(good), good)]
    assert [results[0], results[2], results[4]] == [right[0], right[1], right[0]]
    kind, _, reason = words.partition(" … ")
    for result in (results[1], results[3]):
        assert result["filename"] == name and result["error"].startswith(kind) and reason in result["error"]


@given(
    st.lists(st.integers(-3, 400)),
    st.one_of(st.integers(1, 9), st.just(1000)),
)
@settings(deadline=None)
def test_results_are_in_order_and_each_name_has_its_own(numbers, limit):
    """Any list, repetitions too: -3 to -1 stand for files that are bad."""

    def size_of(name):
        return {"filename": name, "error": "…"} if name < 0 else {"filename": name, "size": name}

    with mock.patch.object(m, "size_of", size_of):
        assert asyncio.run(m.process_files(iter(numbers), limit)) == [size_of(number) for number in numbers]


@given(st.integers(0, 4), st.one_of(st.text(max_size=6).map(str.encode), st.binary(max_size=6)))
@settings(deadline=None, max_examples=60)
def test_size_means_bytes_of_whatever_is_utf_8_and_of_nothing_else(before, data):
    """Around the end of a piece, where a character may be cut in two."""
    data = b"x" * (PIECE - before) + data
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(data)
        result = m.size_of(path)
    try:
        data.decode()
    except UnicodeDecodeError:
        assert result["error"].startswith("UnicodeDecodeError: ")
    else:
        assert result == {"filename": path, "size": len(data)}


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_makes_no_sense(limit):
    with pytest.raises(ValueError, match="limit must be 1 or more"):
        asyncio.run(m.process_files(["a", "b"], limit))


def hops(work):
    """Run `work`; return how many jobs it gave to threads."""

    async def main():
        loop = asyncio.get_running_loop()
        with mock.patch.object(loop, "run_in_executor", side_effect=loop.run_in_executor) as given:
            await work()
        return given.call_count

    return asyncio.run(main())


def test_the_guide_takes_three_hops_a_file_and_ours_one_for_many(tmp_path):
    names = [tmp_path / str(number) for number in range(1000)]
    for name in names:
        name.write_text("x")
    assert hops(lambda: guide["guide_process_files"](names[:40])) == 120
    assert hops(lambda: m.process_files(names)) == 10
    assert hops(lambda: m.process_files(names[:8])) == 3, "few files, and still work for two threads"


WITHIN = """
async def within(most, function, *arguments):
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + most, hard))
    try:
        return {result.get("size") or result["error"] for result in await function(*arguments)}
    except OSError as error:
        return error.strerror
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def main():
    names = [os.path.join(sys.argv[1], str(number)) for number in range(300)]
    await m.process_files(names, 32)  # starts the threads, imports what it needs
    for limit in (1, 2, 5):
        print(await within(limit, m.process_files, names, limit))
    for most in (60, 40):
        print(await within(most, guide_process_files, names[:60]))


asyncio.run(main())
"""


@posix
def test_descriptors_never_exceed_the_limit(tmp_path):
    """In earnest, in a process that may open no more: one worker too many would report files that it could not open.

    The guide's opens all of its files before it reads the first.
    """
    for number in range(300):
        (tmp_path / str(number)).write_text("x")
    assert said(GUIDES + WITHIN, tmp_path).splitlines() == ["{1}"] * 4 + ["Too many open files"]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_cancelled_it_begins_no_further_chunk_and_leaves_no_thread_at_work(monkeypatch, times):
    gate = Gate(lambda name: {"filename": name, "size": 0})
    monkeypatch.setattr(m, "size_of", gate)

    async def main():
        task = asyncio.create_task(m.process_files(range(2000), 3))
        await gate.reached(3)
        await cancelled_at(gate, task, times)
        seen = len(gate.calls)
        assert seen == 300, "three chunks had begun"
        await asyncio.sleep(0.05)
        assert len(gate.calls) == seen

    asyncio.run(main())
    assert len(gate.threads) == 3 and threading.main_thread() not in gate.threads


# ---------------------------------------------------------------- write_atomically


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@given(st.text())
@example("two\nlines\r\nand\ra half")
@settings(deadline=None, max_examples=50)
def test_what_is_written_is_the_text_to_the_byte(text):
    """In UTF-8, with its own line ends."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.txt")
        for name in (path, str(path)):
            asyncio.run(m.write_atomically(name, text))
            assert path.read_bytes() == text.encode()
        assert left_in(Path(folder)) == ["data.txt"]


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_write_that_is_cancelled_in_its_thread_is_waited_for(tmp_path, monkeypatch, moment, times):
    path = tmp_path / "data.txt"
    path.write_text("old")
    owner = {"fsync": os, "replace": Path}[moment]
    gate = Gate(getattr(owner, moment))
    monkeypatch.setattr(owner, moment, lambda *arguments: gate(*arguments))

    async def main():
        task = asyncio.create_task(m.write_atomically(path, "new"))
        await gate.reached()
        assert path.read_text() == "old"
        await cancelled_at(gate, task, times)
        assert path.read_text() == "new" and left_in(tmp_path) == ["data.txt"]

    asyncio.run(main())
    assert threading.main_thread() not in gate.threads, "the loop was held"


def test_cancelled_at_any_step_the_file_is_the_old_or_the_new(tmp_path):
    path, texts, outcomes = tmp_path / "data.txt", ["old" * 20_000, "new" * 30_000], set()

    async def main():
        for steps in range(40):
            m.replace_file(path, texts[0])
            task = asyncio.create_task(m.write_atomically(path, texts[1]))
            for _ in range(steps):
                await asyncio.sleep(0 if steps % 2 else 0.0002)
            stopped = task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() == stopped
            assert left_in(tmp_path) == ["data.txt"]
            outcomes.add(texts.index(path.read_text()))

    asyncio.run(main())
    assert outcomes == {0, 1}


def test_readers_never_find_a_mixture_of_many_writers(tmp_path):
    path, texts = tmp_path / "data.txt", [str(number) * 50_000 for number in range(8)]

    async def main():
        m.replace_file(path, texts[0])
        writers = [asyncio.create_task(m.write_atomically(path, text)) for text in texts * 5]
        while not all(task.done() for task in writers):
            assert await asyncio.to_thread(path.read_text) in texts
        await asyncio.gather(*writers)

    asyncio.run(main())
    assert left_in(tmp_path) == ["data.txt"] and path.read_text() in texts


FAULTS = {
    "text that UTF-8 does not have": ("data.txt", "x\ud800", UnicodeEncodeError),
    "no text": ("data.txt", None, TypeError),
    "a folder in its place": ("folder", "new", OSError),
    "no such folder": ("nowhere/data.txt", "new", FileNotFoundError),
    "a folder that is a file": ("data.txt/data.txt", "new", OSError),
}


@pytest.mark.parametrize("fault", [*FAULTS, "a disk that fails at fsync"])
def test_a_write_that_fails_leaves_all_as_it_was(tmp_path, monkeypatch, fault):
    (tmp_path / "data.txt").write_text("old")
    (tmp_path / "folder").mkdir()
    if fault in FAULTS:
        name, text, error = FAULTS[fault]
    else:
        name, text, error = "data.txt", "new", OSError
        monkeypatch.setattr(os, "fsync", mock.Mock(side_effect=OSError(errno.EIO, "Input/output error")))
    with pytest.raises(error):
        asyncio.run(m.write_atomically(tmp_path / name, text))
    assert left_in(tmp_path) == ["data.txt", "folder"] and left_in(tmp_path / "folder") == []
    assert (tmp_path / "data.txt").read_text() == "old"


FULL = """
path = os.path.join(sys.argv[1], "data.txt")
asyncio.run(m.write_atomically(path, "old"))
if sys.argv[2:]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    asyncio.run(m.write_atomically(path, "x" * 1_000_000))
except OSError as error:
    print(error.strerror, open(path).read(), os.listdir(sys.argv[1]))
"""


@posix
def test_a_disk_that_is_full(tmp_path):
    """In earnest: a file may not grow further, and, where a disk can be mounted, a disk of 256 KiB."""
    assert said(FULL, tmp_path, "limit") == "File too large old ['data.txt']\n"
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], capture_output=True)
    if mounted.returncode == 0:
        try:
            assert said(FULL, disk) == "No space left on device old ['data.txt']\n"
        finally:
            subprocess.run(["umount", disk], check=True)


WRITES = """
async def main():
    while True:
        for letter in "ab":
            await m.write_atomically(sys.argv[1], letter * 3_000_000)
            print(".", end="", flush=True)
asyncio.run(main())
"""


@posix
@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_kill_9_in_the_middle_of_writes_tears_nothing(tmp_path, kills):
    path = tmp_path / "data.txt"
    for _ in range(kills):
        with child(WRITES, path) as writer:
            assert writer.stdout.read(2) == "..", "it never wrote"
            time.sleep(random.uniform(0, 0.02))
            writer.kill()
            writer.communicate(timeout=30)
        text = path.read_text()
        assert text in ("a" * 3_000_000, "b" * 3_000_000), f"torn: {len(text)} characters, {set(text)}"
    for part in tmp_path.glob(".part-*"):  # as the chapter says
        shutil.rmtree(part)
    assert left_in(tmp_path) == ["data.txt"]


@posix
def test_what_takes_the_place_is_a_new_file_as_the_chapter_says(tmp_path):
    """With the permissions of any new file; and a link is replaced, not followed."""
    path, link = tmp_path / "data.txt", tmp_path / "link"
    before = os.umask(0o027)
    try:
        asyncio.run(m.write_atomically(path, "new"))
        link.symlink_to(path)
        asyncio.run(m.write_atomically(link, "newer"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(link.stat().st_mode) == 0o640
    assert not link.is_symlink() and path.read_text() == "new"


def test_async_file_operations_gives_what_the_guides_does(tmp_path):
    with contextlib.chdir(tmp_path):
        assert asyncio.run(m.async_file_operations()) == asyncio.run(guide["guide_async_file_operations"]())
        assert asyncio.run(m.async_file_operations("other.txt")) == Path("data.txt").read_text()
    assert left_in(tmp_path) == ["data.txt", "other.txt"]
