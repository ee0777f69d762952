"""Binder imitated: its own packages, ours over them, the guide as the home folder, and no more than it gives.

Run with `make binder`: some minutes for the packages, which are kept in build/binder until a lock changes, and
about fifteen for the notebooks. What was found goes to build/binder.md.
"""

# ruff: noqa: E402 (two folders are to be found before their files are imported)

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "browser")]

from dockerfile import ROOT, VERSION, base, copied

import notebook_file
from lab import BESIDE, READY, SAVE, Opened
from look import browser

KEPT = ROOT / "build" / "binder"
REPORT = ROOT / "build" / "binder.md"
LESSON = "lab/tree/notebooks/00_start_here.ipynb"  # what the README's link opens: see tests/tools/test_links.py
MEMORY = 2 << 30  # bytes that Binder promises
LONGEST = 900  # seconds for a notebook

# Packages of Binder's base are conda's: these have another name on PyPI. The others that are no Python packages
# (Node.js, libraries in C) are left out, and so is what only stands for Python itself.
ON_PYPI = {
    "brotli-python": "brotli",
    "jupyterhub-base": "jupyterhub",
    "nbconvert-core": "nbconvert",
    "python-fastjsonschema": "fastjsonschema",
    "cpython": None,
}
# A network of its own with nothing but loopback, a group of processes whose memory is bounded, one processor.
SMALL = 'ip link set lo up && echo $$ > "$0/cgroup.procs" && exec taskset --cpu-list "$@"'
PROCESSOR = str(min(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ""


def python() -> str:
    """Return a Python of Binder's version, or the running one where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{VERSION}.*/bin/python")
    for candidate in (shutil.which(f"python{VERSION}"), *map(str, pyenv)):
        if candidate and subprocess.run([candidate, "-c", "import ensurepip"], capture_output=True).returncode == 0:
            return candidate
    return sys.executable


def translated(lock: Path) -> list[str]:
    """Return the packages of repo2docker's lock as requirements of PyPI: those whose build is for a Python."""
    found = re.findall(r"/([^/]+)-([^-/]+)-py[^-/]*\.(?:conda|tar\.bz2)", lock.read_text("utf-8"))
    return [f"{ON_PYPI.get(name, name)}=={version}" for name, version in found if ON_PYPI.get(name, name)]


def output(*command: object, cwd: Path = ROOT, exit_codes: tuple[int, ...] = (0,)) -> str:
    """Run a command and return what it printed; it must end with one of `exit_codes`."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode in exit_codes, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def binders() -> Path:
    """Return the folder of the executables of an environment that was installed as Binder's is."""
    interpreter = python()
    version = output(interpreter, "-V").split()[1]
    lock = base(version.rpartition(".")[0])
    wanted = translated(lock)
    inputs = [output(interpreter, "-VV"), *wanted, (ROOT / "requirements.txt").read_text("utf-8")]
    folder = KEPT / hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:16]
    if not (folder / "complete").exists():
        shutil.rmtree(KEPT, ignore_errors=True)
        output(interpreter, "-m", "venv", folder)
        pip = (folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check")
        output(*pip, "--no-deps", *wanted)
        output(*pip, "--upgrade", "-r", "requirements.txt")  # as environment.yml says
        (folder / "complete").touch()
    started = f"Python {version}, {len(wanted)} packages of {lock.name}, and requirements.txt over them"
    REPORT.write_text(f"# The guide as on Binder\n\n{started}.\n", "utf-8")
    return folder / "bin"


def add_to_report(heading: str, text: str) -> None:
    """Write `text` at the end of the report, below `heading` if that is not there yet."""
    known = REPORT.read_text("utf-8")
    REPORT.write_text(known + ("" if heading in known else heading) + text, "utf-8")


def environment(binders: Path, home: Path) -> dict[str, str]:
    """Return the variables that a session on Binder has, of those that matter."""
    return {"HOME": str(home), "PATH": f"{binders}{os.pathsep}{os.environ['PATH']}", "LANG": "C.UTF-8"}


def test_what_is_installed_is_the_lock(binders: Path) -> None:
    add_to_report("\n## What requirements.txt installs\n\n", output(binders / "python", "tests/binder/packages.py"))
    # Its base has the classic interface too, which asks for an older Lab. The guide opens in Lab.
    at_odds = output(binders / "python", "-m", "pip", "check", exit_codes=(0, 1)).splitlines()
    assert {line.split()[0] for line in at_odds} <= {"No", "notebook"}, at_odds


def test_lab_opens_the_lesson(binders: Path, tmp_path: Path) -> None:
    home = copied(tmp_path / "home")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/user/some-body-guide-k3v/"
    command = [binders / "jupyter-lab", "--ip=127.0.0.1", f"--port={port}", "--no-browser", "--allow-root"]
    command += ["--ServerApp.base_url=/user/some-body-guide-k3v/", "--ServerApp.token=token-of-binder"]
    command += ["--expose-app-in-browser"]  # for this test alone
    log = tmp_path / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=home, env=environment(binders, home), stdout=out, stderr=out)
    try:
        with browser() as running:
            page = running.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(120_000)  # milliseconds: a machine may be busy
            opened = Opened(page, url)
            page.on("console", opened.on_console)
            page.on("pageerror", lambda error: opened.complaints.append(f"the page raised {error}"))
            page.on("request", opened.on_request)
            wait_for_port(port, server)
            page.goto(f"{url}{LESSON}?token=token-of-binder")
            page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext")
            page.evaluate(READY)
            page.wait_for_timeout(3000)  # long enough for a question, or for a mark of change
            page.screenshot(path=REPORT.with_suffix(".png"))
            beside = page.evaluate(BESIDE)
            page.evaluate(SAVE)
    finally:
        server.terminate()
        server.wait(30)
    assert beside["left"] == ["table-of-contents"] and not beside["asked"] and not beside["changed"]
    assert not opened.complaints, log.read_text("utf-8")
    lesson = Path(*LESSON.split("/")[2:])
    assert (home / lesson).read_bytes() == (ROOT / lesson).read_bytes()


def wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server listens, for two minutes at most."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise RuntimeError("JupyterLab did not start")


@pytest.fixture
def group() -> Iterator[Path]:
    """Return a control group of Linux that allows its processes MEMORY bytes. Skips the test where none can be had."""
    old = Path("/sys/fs/cgroup/memory")  # version 1
    folder = (old if old.is_dir() else old.parent) / f"asyncio-guide-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / ("memory.limit_in_bytes" if old.is_dir() else "memory.max")).write_text(str(MEMORY))
    except OSError as error:
        folder.is_dir() and folder.rmdir()
        pytest.skip(f"this machine lets nobody bound memory: {error}")
    yield folder
    for process in (folder / "cgroup.procs").read_text().split():
        os.kill(int(process), 9)
    time.sleep(0.1)
    folder.rmdir()


@pytest.mark.parametrize("path", notebook_file.paths(), ids=lambda path: path.stem)
def test_a_notebook_runs_with_little(path: Path, binders: Path, group: Path, tmp_path: Path) -> None:
    home = copied(tmp_path / "home")
    small = ["unshare", "--net", "sh", "-c", SMALL, str(group), PROCESSOR]
    probe = subprocess.run([*small, "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"this machine lets nobody go without network: {probe.stderr}")
    notebook = [
        binders / "python",
        "-m",
        "pytest",
        "-o",
        "addopts=",
        "-p",
        "strict_nbval",
        "-q",
        f"notebooks/{path.name}",
    ]
    began = time.monotonic()
    done = subprocess.run(
        [*small, *notebook], cwd=home, env=environment(binders, home), capture_output=True, text=True, timeout=LONGEST
    )
    seconds = time.monotonic() - began
    left = (group / "cgroup.procs").read_text().split()
    peaks = [group / name for name in ("memory.max_usage_in_bytes", "memory.peak")]
    peak = next(int(each.read_text()) / 1e6 for each in peaks if each.exists())
    heading = "\n## With 2 GiB, one processor, no network\n\n| notebook | | seconds | MB at most |\n|---|---|---|---|\n"
    result = "failed" if done.returncode else "passed"
    add_to_report(heading, f"| {path.stem} | {result} | {seconds:.0f} | {peak:.0f} |\n")
    assert done.returncode == 0 and not left, done.stdout[-5000:]
