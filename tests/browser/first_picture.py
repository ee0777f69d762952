"""How long a learner waits for the first picture: seconds from `make lab`, in a fresh clone and again.

    python tests/browser/first_picture.py

`cold`: nothing is installed; what was downloaded before may still lie in the cache of uv or pip, unless a variable
(UV_CACHE_DIR, PIP_CACHE_DIR) names an empty one. `warm`: the same command once more. The browser is started meanwhile.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page

from look import browser

ROOT = Path(__file__).resolve().parents[2]
URL = re.compile(r"http://127\.0\.0\.1:\d+/\S*token=\w+")
IDLE = "text='Python 3 (ipykernel) | Idle'"  # in the bar below; a cell that runs earlier is asked for its kernel
PICTURE = ".jp-OutputArea-output img"
LONGEST = 900.0  # seconds


def wait_until_it_listens(url: str) -> None:
    """Return once the server accepts connections, which may be after it has told its address."""
    parts = urlsplit(url)
    while True:
        with suppress(ConnectionRefusedError):
            socket.create_connection((parts.hostname, parts.port), timeout=LONGEST).close()
            return
        time.sleep(0.05)


def first_picture(clone: Path, page: Page) -> tuple[float, float]:
    """Run `make lab` in `clone`; return the seconds until its first page is ready, and until its first picture."""
    began = time.perf_counter()
    environment = {**os.environ, "BROWSER": "true"}  # a command that opens nothing
    lab = subprocess.Popen(
        ["make", "lab"], cwd=clone, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        url = next(found[0] for line in lab.stdout if (found := URL.search(line)))
        wait_until_it_listens(url)
        page.goto(url, timeout=LONGEST * 1000)
        page.wait_for_selector(IDLE, timeout=LONGEST * 1000)
        ready = time.perf_counter() - began
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.wait_for_selector(PICTURE, timeout=LONGEST * 1000)
        return ready, time.perf_counter() - began
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.wait()


def megabytes(folder: Path) -> float:
    """Return the size of all files in `folder`."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, browser() as running:
        clone = Path(folder, "guide")
        subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
        for name in ("cold", "warm"):
            ready, seen = first_picture(clone, running.new_page())
            print(f"{name}: page after {ready:.1f} s, first picture after {seen:.1f} s")
        print(f"installed: {megabytes(clone / '.venv'):.0f} MB", file=sys.stdout)
