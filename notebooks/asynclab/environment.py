"""Is this machine ready for the guide? Every fault is one line that says what to do.

In a notebook, `check()` shows a table. `make lab` first runs this file by its path
(`python notebooks/asynclab/environment.py`), which prints nothing when all is well.

To tell an old or bare Python what it lacks, the file must start there: syntax of Python 3.8, and nothing
but the standard library outside the functions.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import re
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

NEEDED = (3, 11)  # as `requires-python` in pyproject.toml, which an older Python has no parser for
NOTEBOOKS = Path(__file__).resolve().parents[1]
ROOT = NOTEBOOKS.parent


@dataclass(frozen=True)
class Row:
    """One thing the guide needs: `what`, whether it is `ok`, what was `found`, and the `remedy` for a fault."""

    what: str
    ok: bool
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"ok     {self.what}" if self.ok else f"fault  {self.what}: {self.found}. {self.remedy}"


@dataclass(frozen=True)
class Report:
    """What `check` found; true if all is well, so that `assert report, report` stops with every remedy.

    What is shown is the same on every ready machine: a version or a path appears only beside a fault.
    """

    rows: tuple[Row, ...]

    @property
    def faults(self) -> tuple[Row, ...]:
        """The rows that need a remedy."""
        return tuple(row for row in self.rows if not row.ok)

    def details(self) -> str:
        """Return what was found, versions and paths included: what another person needs to help."""
        found = [f"{'ok' if row.ok else 'fault':<5}  {row.what}: {row.found}" for row in self.rows]
        return "\n".join([platform.platform(), *found])

    def __bool__(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        return "\n".join([self._title(), "", *map(str, self.rows)])

    def _title(self) -> str:
        count = len(self.faults)
        if not count:
            return "This machine is ready for the guide."
        return f"{count} {'thing is' if count == 1 else 'things are'} to be put right before you begin."

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        left = 'style="text-align:left"'  # JupyterLab sets tables to the right
        lines = [
            "<!-- run this cell to check your machine -->",
            f"<table><caption {left}>{self._title()}</caption>",
            f'<tr><th scope="col" {left}>Needed</th><th scope="col" {left}>Result</th></tr>',
        ]
        for row in self.rows:
            cells = (row.what, "✓ ok" if row.ok else f"✕ {row.found}. {row.remedy}")
            lines += ["<tr>", *(f"<td {left}>{escape(cell)}</td>" for cell in cells), "</tr>"]
        return {"text/html": "\n".join([*lines, "</table>"]), "text/plain": str(self)}


def check() -> Report:
    """Return a report on the machine and on the notebook this is called from. It never raises an exception."""
    return Report((*machine(), *_notebook()))


def main(arguments: list[str]) -> int:
    """Print one line for each fault of the machine and return 1, or return 0; `--python-only` looks no further."""
    faults = Report(machine()[:1] if "--python-only" in arguments else machine()).faults
    for row in faults:
        print(f"{row.what}: {row.found}. {row.remedy}", file=sys.stderr)
    return 1 if faults else 0


def machine() -> tuple[Row, ...]:
    """Return what holds for any notebook here: Python, the packages, and what they may do on this machine."""
    python = probed(
        "Python {}.{} or newer".format(*NEEDED),
        _python,
        "Install Python 3.14, delete the folder .venv if there is one, and start again with: "
        "make lab PYTHON=python3.14",
    )
    if not python.ok:
        return (python,)  # nothing else can be told by such a Python
    return (
        python,
        probed(
            "the packages of requirements.txt",
            _packages,
            f'In the guide\'s folder, run: "{sys.executable}" -m pip install -r requirements.txt (in a notebook, '
            "restart the kernel afterwards)",
        ),
        probed(
            "a server of one's own on 127.0.0.1",
            _loopback,
            "Let Python open local connections in your firewall or security software: nothing leaves this machine",
        ),
        probed(
            "a temporary folder to write in",
            _temporary,
            "Free some space there, or set the environment variable TMPDIR (TEMP on Windows) to a folder "
            "you may write in",
        ),
        probed(
            "Jupyter's own folders to write in",
            _jupyter,
            "Set the environment variable that is named to a folder you may write in, and start Jupyter again",
        ),
        probed(
            "the guide's folder data",
            _data,
            "Fetch the whole guide again and leave the folder data beside the folder notebooks",
        ),
    )


def _notebook() -> tuple[Row, ...]:
    return (
        probed(
            "asyncio's own event loop",
            _loop,
            "Remove the line that installs another loop (such as uvloop) from your IPython start-up files, and "
            "restart the kernel",
        ),
        probed(
            "the folder notebooks as the current folder",
            _folder,
            f"Open the notebook where it lies, or run: %cd {NOTEBOOKS}",
        ),
    )


def probed(what: str, probe: Callable[[], str], remedy: str) -> Row:
    """Return a row: `probe` returns what it found, or raises an exception whose message says what is wrong."""
    try:
        return Row(what, True, probe())
    except Exception as error:  # whatever goes wrong in a probe is the fault to report
        message = str(error).strip().splitlines() or [type(error).__name__]
        return Row(what, False, message[0].rstrip("."), remedy)


def _python() -> str:
    found = f"Python {platform.python_version()}"
    if sys.version_info[:2] < NEEDED:
        raise RuntimeError(f"this is {found}")
    return found


def _packages() -> str:
    import tomllib

    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    missing, faults, found = [], [], []
    for line in needed:
        name = re.split(r"[^\w.-]", line)[0]
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if _is_for_this_machine(line):
                missing.append(name)
            continue
        from packaging.requirements import Requirement  # comes with Jupyter: only asked for once a package is there

        if not Requirement(line).specifier.contains(version, prereleases=True):
            faults.append(f"{name} is {version}, needed is {Requirement(line).specifier}")
        found.append(f"{name} {version}")
    if missing:
        faults.append(f"not installed: {', '.join(missing)}")
    if faults:
        raise RuntimeError("; ".join(faults))
    return ", ".join(found)


def _is_for_this_machine(needed: str) -> bool:
    """Return whether the condition after the semicolon holds: there is a package that not every machine can have."""
    try:
        from packaging.requirements import Requirement
    except ImportError:  # then all of them are missing
        return True
    marker = Requirement(needed).marker
    return marker is None or marker.evaluate()


def _loopback() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        socket.create_connection(address, timeout=5).close()
        return f"port {address[1]}"


def _temporary() -> str:
    return _write_in(tempfile.gettempdir())


def _jupyter() -> str:
    if os.path.expanduser("~") == "~":
        raise RuntimeError("no home folder is known (HOME)")
    try:
        from jupyter_core import paths
    except ImportError:  # the row of the packages says so: look only whether there is a home to write in
        return _write_in(os.path.expanduser("~"))
    folders = {
        "JUPYTER_RUNTIME_DIR": paths.jupyter_runtime_dir(),
        "JUPYTER_DATA_DIR": paths.jupyter_data_dir(),
        "JUPYTER_CONFIG_DIR": paths.jupyter_config_dir(),
    }
    faults = []
    for variable, folder in folders.items():
        try:
            _write_in(folder)
        except OSError as error:
            faults.append(f"{error} ({variable})")
    if faults:
        raise RuntimeError("; ".join(faults))
    return ", ".join(folders.values())


def _data() -> str:
    files = [path for path in (ROOT / "data").rglob("*") if path.is_file()]
    for path in files:
        with path.open("rb") as file:
            file.read(1)
    if not files:
        raise RuntimeError(f"there is nothing in {ROOT / 'data'}")
    return f"{len(files)} files"


def _loop() -> str:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return "no loop is running"
    if not isinstance(loop, asyncio.BaseEventLoop):
        raise RuntimeError(f"a loop of {type(loop).__module__} is running")
    return type(loop).__name__


def _folder() -> str:
    if not os.path.samefile(os.getcwd(), NOTEBOOKS):
        raise RuntimeError(f"it is {os.getcwd()}")
    return str(NOTEBOOKS)


def _write_in(folder: str) -> str:
    os.makedirs(folder, mode=0o700, exist_ok=True)  # as Jupyter makes its own
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"ready")
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
