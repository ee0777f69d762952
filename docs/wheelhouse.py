"""Put everything on a stick, for a room without internet: the guide, and every package that it needs.

`make wheelhouse` fills build/wheelhouse for this Python and this kind of computer. For others, name them, one kind
at a time; all lie side by side in one folder:

    .venv/bin/python docs/wheelhouse.py --python 3.13 --platform win_amd64
    .venv/bin/python docs/wheelhouse.py --python 3.13 --platform macosx_14_0_arm64
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "wheelhouse"
PLATFORMS = re.compile(r"win_(amd64|arm64)|macosx_\d+_0_(x86_64|arm64)|manylinux_2_\d+_(x86_64|aarch64)")

README = """The guide to asyncio, and every package that it needs. Nothing of this asks for the internet.

For each kind of computer that is listed here, the packages lie in the folder wheels:

{targets}

Copy this whole folder to your computer, open a terminal in the copy, and give these commands. The fourth prints
nothing if all is well. The last one opens the guide; for the next time, only the last three are needed.

Linux and macOS:

    python3 -m venv .venv
    .venv/bin/python -m pip install --no-index --find-links wheels -r guide/requirements.txt
    cd guide
    ../.venv/bin/python notebooks/asynclab/environment.py
    export JUPYTER_CONFIG_PATH=.jupyter
    ../.venv/bin/python -m jupyter lab notebooks/00_start_here.ipynb

Windows, in PowerShell:

    py -m venv .venv
    .venv\\Scripts\\python -m pip install --no-index --find-links wheels -r guide\\requirements.txt
    cd guide
    ..\\.venv\\Scripts\\python notebooks\\asynclab\\environment.py
    $env:JUPYTER_CONFIG_PATH = ".jupyter"
    ..\\.venv\\Scripts\\python -m jupyter lab notebooks/00_start_here.ipynb
"""


def this_platform() -> str:
    """Return what pip calls this kind of computer. On Linux, one of 2018 or later (glibc 2.28)."""
    machine = platform.machine().lower()
    if sys.platform == "darwin":
        return f"macosx_{platform.mac_ver()[0].partition('.')[0]}_0_{machine}"
    return f"win_{machine}" if sys.platform == "win32" else f"manylinux_2_28_{machine}"


def pins(lock: str, python: str, target: str) -> set[str]:
    """Return each name==version that `lock` installs there: pip would ask only what this machine needs."""
    windows, mac = target.startswith("win"), target.startswith("mac")
    machine = target.removeprefix("win_").upper() if windows else re.split(r"\d_(?=\D)", target)[-1]
    there = {
        "python_version": python.rpartition(".")[0],
        "python_full_version": python,
        "sys_platform": "win32" if windows else "darwin" if mac else "linux",
        "platform_system": "Windows" if windows else "Darwin" if mac else "Linux",
        "platform_machine": machine,
        "os_name": "nt" if windows else "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    needed = (Requirement(line) for line in lock.splitlines())
    return {f"{each.name}{each.specifier}" for each in needed if each.marker is None or each.marker.evaluate(there)}


def fetch(packages: set[str], python: str, target: str, folder: Path) -> None:
    """Download the wheels for Python `python`, as 3.13.0. Raises RuntimeError, in pip's words, if there is none."""
    tags = [target]
    if (newest := re.fullmatch(r"manylinux_2_(\d+)_(.+)", target)) is not None:  # pip takes the others for macOS itself
        tags = [f"manylinux_2_{minor}_{newest[2]}" for minor in range(int(newest[1]), 4, -1)]
        tags += [f"{old}_{newest[2]}" for old in ("manylinux2014", "manylinux2010", "manylinux1")]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--python-version", python, *(part for tag in tags for part in ("--platform", tag))]
    with tempfile.TemporaryDirectory() as temporary:
        wanted = Path(temporary, "packages.txt")
        wanted.write_text("\n".join(packages), "utf-8")
        done = subprocess.run([*command, "--requirement", str(wanted)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1].removeprefix("ERROR: "))


def copy_guide(folder: Path) -> None:
    """Write the guide into `folder`: as it was last committed, or all there is where nothing is known of git."""
    shutil.rmtree(folder, ignore_errors=True)
    if (ROOT / ".git").exists() and shutil.which("git"):
        with tempfile.TemporaryDirectory() as temporary:
            archive = Path(temporary, "guide.zip")
            subprocess.run(["git", "archive", "--output", str(archive), "HEAD"], cwd=ROOT, check=True)
            shutil.unpack_archive(archive, folder)
    else:
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".venv", "build", "__pycache__", ".ipynb_*"))


def fill(folder: Path, python: str, target: str) -> None:
    """Add to `folder` what Python `python` on `target` needs; bring the guide and README.txt in it up to date."""
    copy_guide(folder / "guide")
    lock = (folder / "guide" / "requirements.txt").read_text("utf-8")
    oldest, newest = (pins(lock, f"{python}.{patch}", target) for patch in (0, 99))
    fetch({*oldest, "pip"}, f"{python}.0", target, folder / "wheels")
    if newest - oldest:  # nobody knows which one the students have: take both along
        fetch(newest - oldest, f"{python}.99", target, folder / "wheels")
    readme = folder / "README.txt"
    before = re.findall("^- .+$", readme.read_text("utf-8"), re.MULTILINE) if readme.exists() else []
    targets = sorted({*before, f"- Python {python}, {target}"})
    readme.write_text(README.format(targets="\n".join(targets)), "utf-8")


def target_name(text: str) -> str:
    """Return `text`. Raises ArgumentTypeError if it is no platform that packages of the guide have wheels for."""
    if not PLATFORMS.fullmatch(text):
        known = "win_amd64, macosx_14_0_arm64, macosx_14_0_x86_64, manylinux_2_28_x86_64, manylinux_2_28_aarch64"
        raise argparse.ArgumentTypeError(f"{text!r} is none of {known} or the like")
    return text


def main() -> None:
    """Fill the folder, and say what it holds. Exits with pip's error if a package cannot be had."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    here = "{}.{}".format(*sys.version_info)
    parser.add_argument("--python", choices=["3.11", "3.12", "3.13", "3.14"], default=here, help=f"({here})")
    parser.add_argument("--platform", type=target_name, default=this_platform(), help=f"({this_platform()})")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"({FOLDER})")
    chosen = parser.parse_args()
    print(f"Fetching the packages for Python {chosen.python} on {chosen.platform}: one to five minutes.", flush=True)
    begun = time.monotonic()
    try:
        fill(chosen.folder, chosen.python, chosen.platform)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"The stick is not complete: {error}")
    files = [path for path in chosen.folder.rglob("*") if path.is_file()]
    wheels, size = sum(path.suffix == ".whl" for path in files), sum(path.stat().st_size for path in files)
    seconds = time.monotonic() - begun
    print(f"{chosen.folder}: {wheels} wheels and the guide, {size / 1e6:.0f} MB, {seconds:.0f} s.")
    print("Copy this folder to a stick. README.txt in it says how to install from it.")


if __name__ == "__main__":
    main()
