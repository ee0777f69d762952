"""A real JupyterLab over a copy of the project, with the settings of `make lab` and nobody's own, and pages of it.

The pictures that tests take lie in build/browser/ afterwards, for a person to look at.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_notebook
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

import notebook_file
from look import browser

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "browser"
LAYOUT = Path(".jupyter", "lab", "workspaces", "default-37a8.jupyterlab-workspace")

WIDTH, HEIGHT, TALLEST = 1280, 900, 12_000  # pixels of the window; Chromium draws no picture above 16,384
RUN_ALL = 600  # seconds that a notebook may take
PATIENCE = 120  # seconds for anything else, on a machine that is busy

# What is read off the page. A cell says what its model holds and what the learner sees of it.
CELLS = """() => jupyterapp.shell.currentWidget.content.widgets.map(cell => ({
    id: cell.model.id,
    code: cell.model.type === 'code' && cell.model.sharedModel.source.trim() !== '',
    executed: cell.model.executionCount != null,
    outputs: (cell.model.outputs?.toJSON() ?? []).map(
        output => output.output_type === 'error' ? `error: ${output.ename}: ${output.evalue}` : output.output_type),
    hidden: Boolean(cell.outputHidden),
    dots: cell.node.querySelectorAll('.jp-OutputPlaceholder').length > 0,
    images: [...cell.node.querySelectorAll('img')].map(image => ({
        alt: image.alt, shown: image.checkVisibility(), broken: image.complete && image.naturalWidth === 0,
        ours: image.src.startsWith('data:') || image.src.startsWith(location.origin),
        measured: image.closest('.jp-OutputArea') !== null})),
    headings: [...cell.node.querySelectorAll('.jp-MarkdownOutput :is(h1, h2, h3, h4, h5, h6)')].map(
        heading => [Number(heading.tagName[1]), heading.textContent.replace('¶', '').trim()]),
}))"""
READY = """async () => {
    const panel = jupyterapp.shell.currentWidget;
    await panel.context.ready; await panel.revealed; await panel.sessionContext.ready;
}"""
STATUS = "jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status"
SAVE = "jupyterapp.commands.execute('docmanager:save')"
RUN = """seconds => Promise.race([
    jupyterapp.commands.execute('notebook:run-all-cells'),
    new Promise(resolve => setTimeout(() => resolve('late'), seconds * 1000))])"""
# What stands beside the notebook, what is laid over it, and whether it is shown as changed.
BESIDE = """() => ({
    left: [...jupyterapp.shell.widgets('left')].filter(widget => widget.isVisible).map(widget => widget.id),
    listed: [...document.querySelectorAll('.jp-tocItem-content')].map(entry => entry.textContent.trim()),
    asked: [...document.querySelectorAll('.jp-Dialog, .Toastify__toast')].map(box => box.textContent),
    changed: document.querySelectorAll('.jp-mod-dirty').length > 0,
})"""
# The box of the cells from `first` to `last`, within the document.
BOX = """([first, last]) => {
    const cells = jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.node);
    const box = cells[first].getBoundingClientRect(), end = cells.at(last).getBoundingClientRect().bottom;
    return {x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: end - box.y};
}"""
# The cells alone, as one long document: nothing is cut off by a window within the window, or lies over them.
IN_FULL = """
    body, body :has(.jp-Notebook), .jp-Notebook, .jp-Notebook :has(.jp-Cell) {
        display: block !important; position: static !important; overflow: visible !important; contain: none !important;
        width: auto !important; height: auto !important; min-height: 0 !important; max-height: none !important;
    }
    body:has(.jp-Notebook) > :not(:has(.jp-Notebook)),
    body :has(.jp-Notebook) > :not(.jp-Notebook, :has(.jp-Notebook)) { display: none !important; }
"""
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
THEME = "name => { jupyterapp.commands.execute('apputils:change-theme', {theme: name}); }"


@dataclass
class Lab:
    """A running JupyterLab: `url` with its `token`, over the copy of the project in `root`."""

    url: str
    token: str
    root: Path
    browser: Browser

    @contextmanager
    def open(self, name: str, alone: bool = True) -> Iterator[Opened]:
        """Open the notebook `name` with a kernel, which ends with the block unless the page was closed in it.

        It stands `alone` in the window, or, as at the first `make lab`, with what is open beside it.
        """
        page = self.browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(PATIENCE * 1000)
        opened = Opened(page, self.url)
        page.on("console", opened.on_console)
        page.on("pageerror", lambda error: opened.complaints.append(f"the page raised {error}"))
        page.on("request", opened.on_request)
        try:
            shutil.copy(ROOT / LAYOUT, self.root / LAYOUT)  # whoever was here before has changed it
            page.goto(f"{self.url}lab/tree/notebooks/{name}?token={self.token}")
            page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext")
            page.evaluate(READY)
            if alone:
                page.evaluate("jupyterapp.commands.execute('application:toggle-left-area')")
            yield opened
            if not page.is_closed():
                page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        finally:
            page.close()

    def write(self, name: str, *cells: nbformat.NotebookNode) -> None:
        """Write a notebook of these cells into the copy."""
        metadata = {"kernelspec": notebook_file.KERNELSPEC, "language_info": notebook_file.LANGUAGE}
        nbformat.write(new_notebook(cells=list(cells), metadata=metadata), self.root / "notebooks" / name)


@dataclass
class Opened:
    """A notebook in the browser, and what the page complained of."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        """Keep the errors of the page, but for a picture of another host (a badge) that cannot be had offline."""
        source = message.location["url"]
        if message.type == "error" and (source.startswith(self.url) or not source.startswith("http")):
            self.complaints.append(f"the console says {message.text!r} ({source})")

    def on_request(self, request: Request) -> None:
        """Keep every request that leaves this machine, but for pictures."""
        if request.url.startswith("http") and not request.url.startswith(self.url) and request.resource_type != "image":
            self.complaints.append(f"the page asked for {request.url}")

    def cells(self) -> list[dict[str, Any]]:
        """Return what each cell holds and shows."""
        return self.page.evaluate(CELLS)

    def run_all(self) -> bool | str:
        """Choose Run All Cells; return whether every cell succeeded, or "late" after RUN_ALL seconds."""
        return self.page.evaluate(RUN, RUN_ALL)

    def command(self, name: str) -> None:
        """Choose a command of JupyterLab's and do not wait for its end."""
        self.page.evaluate("name => { jupyterapp.commands.execute(name); }", name)

    def select(self, index: int) -> None:
        """Make a cell the active one."""
        self.page.evaluate("index => { jupyterapp.shell.currentWidget.content.activeCellIndex = index; }", index)

    @contextmanager
    def in_full(self) -> Iterator[None]:
        """Lay the cells out as one document, for the time of the block."""
        style = self.page.add_style_tag(content=IN_FULL)
        try:
            yield
        finally:
            style.evaluate("style => style.remove()")

    def choose(self, theme: str) -> None:
        """Choose a theme. The server keeps it, for pages to come."""
        self.page.evaluate(THEME, theme)
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=theme)
        self.page.wait_for_timeout(300)  # colours fade into others

    def picture(self, path: Path, first: int = 0, last: int = -1) -> None:
        """Write a picture of the cells from `first` to `last`, as high as it needs to be."""
        with self.in_full():
            box = self.page.evaluate(BOX, [first, last])
            path.parent.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=path, full_page=True, clip={**box, "height": min(box["height"], TALLEST)})


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return a browser."""
    with browser() as running:
        yield running


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Lab]:
    """JupyterLab on a free port of 127.0.0.1, over a copy of the project and with none of the user's settings."""
    home = tmp_path_factory.mktemp("lab")
    root = home / "guide"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".[!j]*", "__pycache__", "build"))
    folders = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    env = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    env |= {f"JUPYTER_{name}": str(home / name.lower()) for name in folders}
    env |= {"JUPYTER_CONFIG_PATH": str(root / ".jupyter"), "JUPYTERLAB_WORKSPACES_DIR": str((root / LAYOUT).parent)}
    env |= {"ASYNCIO_GUIDE_DATA": str(home / "progress")}  # not the progress of whoever runs this
    env |= {"IPYTHONDIR": str(home / "ipython"), "JUPYTER_TOKEN": "not-a-secret-on-loopback"}
    # Every cell is in the page, seen or not.
    env |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings")}
    tracker = home / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text(json.dumps({"windowingMode": "none"}), "utf-8")

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += ["--ip=127.0.0.1", f"--port={port}", f"--ServerApp.root_dir={root}"]
    log = home / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=root, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        url = _address(server, home / "runtime_dir", log)
        yield Lab(url, env["JUPYTER_TOKEN"], root, chromium)
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _address(server: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """Wait until the server listens, and return its address: it may have taken another port than it was given."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            with suppress(ValueError, ConnectionRefusedError):  # written by half, or before the server listens
                port = json.loads(path.read_text("utf-8"))["port"]
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return f"http://127.0.0.1:{port}/"
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text('utf-8')[-2000:]}")


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Return once `condition` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
