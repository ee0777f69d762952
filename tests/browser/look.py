"""Debian's Chromium, driven by playwright; as a command, a picture of a page: look.py page.html picture.png [width]."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

FLAGS = (
    "--no-sandbox",  # as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """Return the path of the browser: $CHROMIUM, or the first that is installed. Raises RuntimeError if none is."""
    names = ("chromium", "chromium-browser", "google-chrome")
    for path in (os.environ.get("CHROMIUM"), *map(shutil.which, names)):
        if path:
            return path
    raise RuntimeError("no browser was found: install chromium (apt install chromium) or set CHROMIUM to its path")


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the browser without a window, and stop it at the end of the block."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()


def look(page: Path, picture: Path, width: int = 1280) -> None:
    """Write a picture of the whole HTML file `page`, `width` pixels wide."""
    with browser() as running:
        view = running.new_page(viewport={"width": width, "height": 800})
        view.goto(page.resolve().as_uri(), wait_until="load")
        view.screenshot(path=picture, full_page=True)


if __name__ == "__main__":
    look(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:4]))
