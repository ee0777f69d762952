"""The check of the machine, each fault simulated; and the files that say what is installed agree."""

from __future__ import annotations

import ast
import asyncio
import importlib.metadata
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from asynclab import environment

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DIRECT = [Requirement(line) for line in PYPROJECT["project"]["dependencies"]]
LOCKS = {
    "requirements.txt": DIRECT,
    "tests/lint/requirements.txt": [Requirement(line) for line in PYPROJECT["dependency-groups"]["lint"]],
    "tests/browser/requirements.txt": [Requirement(line) for line in PYPROJECT["dependency-groups"]["browser"]],
}
SYSTEMS = ("linux", "darwin", "win32")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small guide of its own in which nothing is wrong: each test breaks one thing of it."""
    root = tmp_path / "guide"
    for folder in ("notebooks", "data"):
        (root / folder).mkdir(parents=True)
    (root / "data" / "README.md").write_text("Where it comes from.")
    shutil.copy(ROOT / "pyproject.toml", root)
    monkeypatch.setattr(environment, "ROOT", root)
    monkeypatch.setattr(environment, "NOTEBOOKS", root / "notebooks")
    monkeypatch.chdir(root / "notebooks")
    for variable in ("RUNTIME", "DATA", "CONFIG"):
        monkeypatch.setenv(f"JUPYTER_{variable}_DIR", str(tmp_path / "jupyter" / variable.lower()))
    return root


def only_fault() -> environment.Row:
    """Return the one row that is not ok, whose line holds what is needed, what was found and what to do."""
    report = environment.check()
    (row,) = report.faults
    assert not report
    assert row.found
    assert row.remedy
    assert "\n" not in str(row)
    assert str(row) in str(report)
    assert f"{row.what}: {row.found}. {row.remedy}" in str(report)
    return row


def test_a_ready_machine(ready: Path) -> None:
    report = environment.check()
    assert report, report
    assert [row.what for row in report.rows] == [
        "Python 3.11 or newer",
        "the packages of requirements.txt",
        "a server of one's own on 127.0.0.1",
        "a temporary folder to write in",
        "Jupyter's own folders to write in",
        "the guide's folder data",
        "asyncio's own event loop",
        "the folder notebooks as the current folder",
    ]
    assert all(row.found for row in report.rows)


def test_what_is_shown_is_the_same_on_every_ready_machine(ready: Path) -> None:
    shown = environment.check()._repr_mimebundle_()
    assert shown["text/plain"].splitlines()[:3] == [
        "This machine is ready for the guide.",
        "",
        "ok     Python 3.11 or newer",
    ]
    assert shown["text/html"].count("✓ ok") == 8
    for text in shown.values():
        assert str(ready) not in text
        assert importlib.metadata.version("jupyterlab") not in text
        assert "{}.{}.{}".format(*sys.version_info) not in text


def test_the_details_say_what_was_found(ready: Path) -> None:
    (ready / "data" / "README.md").unlink()
    system, python, packages, *rest = environment.check().details().splitlines()
    assert system == platform.platform()
    assert python == f"ok     Python 3.11 or newer: Python {platform.python_version()}"
    assert f"jupyterlab {importlib.metadata.version('jupyterlab')}" in packages
    assert f"fault  the guide's folder data: there is nothing in {ready / 'data'}" in rest


def test_a_fault_is_shown_and_escaped() -> None:
    report = environment.Report((environment.Row("<what>", False, "a & b", "Do <this>"),))
    assert str(report).splitlines()[0] == "1 thing is to be put right before you begin."
    assert "&lt;what&gt;" in report._repr_mimebundle_()["text/html"]
    assert "✕ a &amp; b. Do &lt;this&gt;" in report._repr_mimebundle_()["text/html"]


def test_python_too_old(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))
    monkeypatch.setattr("platform.python_version", lambda: "3.10.13")
    assert only_fault().found == "this is Python 3.10.13"
    assert [row.what for row in environment.machine()] == ["Python 3.11 or newer"]


def test_the_version_needed_stands_in_pyproject() -> None:
    assert PYPROJECT["project"]["requires-python"] == ">={}.{}".format(*environment.NEEDED)


def test_the_pythons_that_are_named_are_those_that_are_tested() -> None:
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    assert tuple(ci["jobs"]["test"]["strategy"]["matrix"]["python"]) == PYTHONS
    assert PYPROJECT["project"]["classifiers"] == [f"Programming Language :: Python :: {each}" for each in PYTHONS]
    assert f"You need Python {PYTHONS[0]} to {PYTHONS[-1]}." in (ROOT / "README.md").read_text("utf-8")


def test_an_old_python_can_read_the_file_and_needs_nothing_installed() -> None:
    tree = ast.parse(Path(environment.__file__).read_text("utf-8"), feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imported <= sys.stdlib_module_names - {"tomllib"}


def test_packages_missing_and_too_old(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name in ("aiohttp", "aiofiles"):
            raise importlib.metadata.PackageNotFoundError(name)
        return "6.0.0" if name == "ipykernel" else real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    row = only_fault()
    assert row.found == "ipykernel is 6.0.0, needed is <8,>=7.4; not installed: aiohttp, aiofiles"
    assert f'"{sys.executable}" -m pip install -r requirements.txt' in row.remedy


def test_a_package_that_this_machine_cannot_have_is_not_missed(ready: Path) -> None:
    needed = (
        """dependencies = ["missing >= 1; python_version > '3'", "of-another-machine >= 1; python_version < '3'","""
    )
    text = (ready / "pyproject.toml").read_text("utf-8").replace("dependencies = [", needed, 1)
    (ready / "pyproject.toml").write_text(text, "utf-8")
    assert only_fault().found == "not installed: missing"


def test_every_direct_dependency_is_looked_at(ready: Path) -> None:
    found = environment.check().rows[1].found
    assert found == ", ".join(f"{each.name} {importlib.metadata.version(each.name)}" for each in DIRECT)


def test_pyproject_missing(ready: Path) -> None:
    (ready / "pyproject.toml").unlink()
    assert "pyproject.toml" in only_fault().found


def test_a_port_refused(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    assert only_fault().found == "[Errno 13] Permission denied"


def test_a_connection_refused(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert only_fault().found == "TimeoutError"  # an exception without a message still says something


def test_no_temporary_folder(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file in the place of a folder refuses everyone, root too.
    monkeypatch.setattr(tempfile, "tempdir", str(ready / "pyproject.toml"))
    row = only_fault()
    assert row.what == "a temporary folder to write in"
    assert "pyproject.toml" in row.found


@pytest.mark.parametrize("variable", ["JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"])
def test_a_folder_of_jupyter_that_cannot_be_written(
    ready: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(ready / "pyproject.toml" / "folder"))
    row = only_fault()
    assert row.what == "Jupyter's own folders to write in"
    assert f"({variable})" in row.found
    assert row.found.count("(JUPYTER_") == 1


def test_jupyters_folders_are_looked_for_in_the_home(
    ready: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("RUNTIME", "DATA", "CONFIG"):
        monkeypatch.delenv(f"JUPYTER_{variable}_DIR")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~", str(tmp_path / "home")))
    monkeypatch.setenv("APPDATA", str(tmp_path / "home"))  # where Windows keeps them
    assert environment.check()
    (tmp_path / "home2").write_text("a file")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~", str(tmp_path / "home2")))
    monkeypatch.setenv("APPDATA", str(tmp_path / "home2"))
    assert only_fault().found.count("(JUPYTER_") == 3


def test_no_home_at_all(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # HOME unset, and a user without an entry
    assert "HOME" in only_fault().found
    assert not (ready / "notebooks" / "~").exists()


def test_home_before_jupyter_is_installed(ready: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "jupyter_core", None)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~", str(tmp_path)))
    assert environment._jupyter() == str(tmp_path)


def test_data_missing_empty_or_unreadable(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "README.md")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        assert "README.md" in environment.probed("data", environment._data, "").found
    (ready / "data" / "README.md").unlink()
    assert only_fault().found == f"there is nothing in {ready / 'data'}"
    (ready / "data").rmdir()
    assert only_fault().what == "the guide's folder data"


def test_the_loop(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def inside() -> environment.Report:
        return environment.check()

    assert asyncio.run(inside())

    class Loop(asyncio.AbstractEventLoop):  # as uvloop's is: not of asyncio's own kind
        pass

    monkeypatch.setattr(asyncio, "get_running_loop", Loop)
    assert only_fault().found == f"a loop of {__name__} is running"


def test_another_folder(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ready)
    row = only_fault()
    assert row.found == f"it is {os.getcwd()}"
    assert row.remedy.endswith(f"%cd {ready / 'notebooks'}")


def test_it_never_raises(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of all things\nand more")

    for name in ("_python", "_packages", "_loopback", "_temporary", "_jupyter", "_data", "_loop", "_folder"):
        with monkeypatch.context() as patch:
            patch.setattr(environment, name, broken)
            assert environment.check().faults[0].found == "of all things"


def preflight(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the file by its path, as `make lab` does, in the guide at `root`."""
    (root / "notebooks" / "asynclab").mkdir(exist_ok=True)
    script = shutil.copy(environment.__file__, root / "notebooks" / "asynclab")
    return subprocess.run([sys.executable, script, *arguments], cwd=root, capture_output=True, text=True, timeout=60)


def test_the_preflight_says_nothing_when_all_is_well(ready: Path) -> None:
    done = preflight(ready)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_preflight_has_one_line_for_each_fault(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(ready / "data")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(ready / "pyproject.toml"))
    done = preflight(ready)
    assert done.returncode == 1
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith("Jupyter's own folders to write in: ")
    assert second.startswith("the guide's folder data: there is nothing in ")
    assert preflight(ready, "--python-only").returncode == 0


def lines(lock: str) -> list[str]:
    """Return the lines of a lock file."""
    return (ROOT / lock).read_text("utf-8").splitlines()


def pins(lock: str, python: str, system: str) -> dict[str, str]:
    """Return the versions by name that `lock` installs there. Fails if a name is pinned twice."""
    here = {
        "python_version": python,
        "python_full_version": f"{python}.99",  # what differs within a minor version is not looked at
        "sys_platform": system,
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[system],
        "os_name": "nt" if system == "win32" else "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    found: dict[str, str] = {}
    for requirement in map(Requirement, lines(lock)):
        if requirement.marker is None or requirement.marker.evaluate(here):
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{lock} pins {name} twice on {system}, Python {python}"
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            found[name] = pin.version
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_exact_versions_and_no_address(lock: str) -> None:
    for line in lines(lock):
        assert re.fullmatch(r"[a-z0-9.-]+==[0-9][a-z0-9.]*( ; [a-z_]+ [^/\\:#@]+)?", line), line


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_what_pyproject_asks_for(lock: str, python: str, system: str) -> None:
    pinned = pins(lock, python, system)
    for needed in LOCKS[lock]:
        assert needed.specifier.contains(pinned[canonicalize_name(needed.name)], prereleases=True), needed


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock != "requirements.txt"])
def test_locks_that_share_a_folder_agree(lock: str) -> None:
    main, other = pins("requirements.txt", "3.11", "linux"), pins(lock, "3.11", "linux")
    assert {name: main[name] for name in main.keys() & other} == {name: other[name] for name in main.keys() & other}


def test_environment_yml_pins_python_and_nothing_else() -> None:
    assert yaml.safe_load((ROOT / "environment.yml").read_text("utf-8")) == {
        "name": "asyncio-guide",
        "channels": ["conda-forge"],
        "dependencies": ["python=3.13", "pip", {"pip": ["-r requirements.txt"]}],
    }


def test_every_dependency_says_what_it_is_for() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    for needed in [line for group in LOCKS.values() for line in group]:
        (line,) = re.findall(rf'^ +"{re.escape(needed.name)}[=<>!~].*$', text, re.MULTILINE)
        assert re.search(r'",? +# \w.{10,}', line), f"{needed.name} is there without a reason: {line}"
