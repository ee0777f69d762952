"""Every notebook as a learner meets it: opened in a real JupyterLab, before and after Run All.

Run with `make browser`. The server works on a copy of the project, with the settings of `make lab` and nobody's own;
the pictures of every section lie in build/browser/NAME/ afterwards, for a person to look at.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request

import notebook_file
from look import browser

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "browser"
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
LAYOUT = Path(".jupyter", "lab", "workspaces", "default-37a8.jupyterlab-workspace")

WIDTH, HEIGHT, TALLEST = 1280, 900, 12_000  # pixels of the window; Chromium draws no picture above 16,384
RUN_ALL = 600  # seconds that a notebook may take

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
# Scroll cell `first` to the top of the window; the box of the cells from `first` to `last`, within the window.
BOX = """([first, last]) => {
    const cells = jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.node);
    cells[first].scrollIntoView({block: 'start', behavior: 'instant'});
    const box = cells[first].getBoundingClientRect();
    return {x: box.x, y: box.y, width: box.width, height: cells[last].getBoundingClientRect().bottom - box.y};
}"""


@dataclass
class Lab:
    """A running JupyterLab: `url` with its `token`, over the copy of the project in `root`."""

    url: str
    token: str
    root: Path
    browser: Browser

    @contextmanager
    def open(self, name: str, alone: bool = True) -> Iterator[Opened]:
        """Open the notebook `name` with a kernel that is ready; shut the kernel down at the end of the block.

        It stands `alone` in the window, or, as at the first `make lab`, with what is open beside it.
        """
        page = self.browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
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

    def picture(self, path: Path, first: int = 0, last: int = -1) -> None:
        """Write a picture of the cells from `first` to `last`, as high as it needs to be."""
        last %= self.page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length")
        height = self.page.evaluate(BOX, [first, last])["height"]
        self.page.set_viewport_size({"width": WIDTH, "height": min(int(height) + 200, TALLEST)})
        self.page.wait_for_timeout(100)  # a new height, a new layout
        box = self.page.evaluate(BOX, [first, last])
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, clip={**box, "height": min(box["height"], TALLEST - box["y"])})
        self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
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
        with browser() as running:
            yield Lab(url, env["JUPYTER_TOKEN"], root, running)
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


def before_running(cells: list[dict[str, Any]]) -> list[str]:
    """Return what would spoil a prediction: stored outputs that are seen before their cell has run."""
    faults = []
    for cell in cells:
        if cell["outputs"] and not (cell["hidden"] and cell["dots"]):
            faults.append(f"cell {cell['id']} shows its output before it has run")
        if any(image["shown"] and image["measured"] for image in cell["images"]):
            faults.append(f"cell {cell['id']} shows a figure before it has run")
    return faults


def after_running(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the cells after Run All, compared with the stored notebook `before`."""
    faults = []
    for old, cell in zip(before, after, strict=True):
        if cell["code"] and not cell["executed"]:
            faults.append(f"cell {cell['id']} has not run")
        if old["outputs"] and not cell["outputs"]:
            faults.append(f"cell {cell['id']} has lost its output")
        if cell["outputs"] and (cell["hidden"] or cell["dots"]):
            faults.append(f"cell {cell['id']} still hides its output")
        faults += [f"cell {cell['id']}: {output}" for output in cell["outputs"] if output.startswith("error")]
        for image in cell["images"]:
            # JupyterLab says "Image" for a picture of which the Markdown says nothing.
            if len(image["alt"].strip()) < (15 if image["measured"] else 1) or image["alt"] == "Image":
                faults.append(f"cell {cell['id']} has a picture without an alternative text: {image['alt']!r}")
            if image["broken"] and image["ours"]:
                faults.append(f"cell {cell['id']} has a picture that cannot be shown")
    return faults


def without_outputs(path: Path) -> nbformat.NotebookNode:
    """Return the notebook without its outputs, and without what says whether they are hidden."""
    notebook = notebook_file.read(path)
    for cell in notebook_file.code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
        for key in ("collapsed", "jupyter"):
            cell.metadata.pop(key, None)
    return notebook


def outline(cells: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the headings: one title, at the top, and no level left out below it."""
    headings = [heading for cell in cells for heading in cell["headings"]]
    levels = [level for level, _ in headings]
    faults = [] if levels[:1] == [1] and levels.count(1) == 1 else ["there is not one title, at the top"]
    for (above, _), (level, text) in itertools.pairwise(headings):
        if level > above + 1:
            faults.append(f"the heading {text!r} leaves out a level")
    return faults


def sections(cells: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    """Return (name of a file, first cell, last cell) for the part above the first `##` and for each `##`."""
    starts = [(0, "title")]
    for index, cell in enumerate(cells):
        starts += [(index, text) for level, text in cell["headings"] if level == 2][:1]
    ends = [start - 1 for start, _ in starts[1:]] + [len(cells) - 1]
    named = zip(starts, ends, strict=True)
    return [
        (f"{number:02}-{re.sub(r'[^a-z0-9]+', '-', text.lower()).strip('-')[:60]}.png", start, end)
        for number, ((start, text), end) in enumerate(named, 1)
        if end >= start
    ]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_first_minute(lab: Lab, name: str) -> None:
    path = lab.root / "notebooks" / name
    before = path.read_bytes()
    with lab.open(name, alone=False) as opened:
        opened.page.wait_for_timeout(2000)  # long enough for a question, or for a mark of change
        opened.page.screenshot(path=PICTURES / "first-minute" / f"{path.stem}.png")
        beside = opened.page.evaluate(BESIDE)
        titles = [text for cell in opened.cells() for level, text in cell["headings"] if level <= 2]
        opened.page.evaluate(SAVE)
        complaints = list(opened.complaints)
    assert beside["left"] == ["table-of-contents"] and set(titles) <= set(beside["listed"])
    assert not beside["asked"] and not beside["changed"] and not complaints
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_learner_opens_it_and_runs_all(lab: Lab, name: str) -> None:
    folder = PICTURES / name.removesuffix(".ipynb")
    shutil.rmtree(folder, ignore_errors=True)
    with lab.open(name) as opened:
        before = opened.cells()
        opened.picture(folder / "00-before.png")
        result = opened.run_all()
        opened.page.wait_for_timeout(1000)  # sliders draw themselves after their cell has run
        after = opened.cells()
        for picture, first, last in sections(after):
            opened.picture(folder / picture, first, last)
        opened.page.evaluate(SAVE)
    faults = before_running(before) + after_running(before, after) + outline(after) + opened.complaints
    if result is not True:
        faults.append(f"Run All answered {result}")
    if without_outputs(lab.root / "notebooks" / name) != without_outputs(ROOT / "notebooks" / name):
        faults.append("saved after Run All, it differs in more than its outputs")
    assert not faults, "\n".join(["", *faults])


def test_the_checks_see_each_fault(lab: Lab) -> None:
    shown = new_output("stream", name="stdout", text="4\n")
    hidden = {"jupyter": {"outputs_hidden": True}}
    lab.write(
        "faulty.ipynb",
        new_markdown_cell("# Title", id="title"),
        new_markdown_cell("## One\n\n#### Three\n\n![](nowhere.png)", id="gap"),
        new_code_cell("print(2 + 2)", id="seen", outputs=[shown]),
        new_code_cell("print(2 + 2)", id="fine", outputs=[shown], metadata=hidden),
        new_code_cell("2 + 2;", id="lost", outputs=[shown], metadata=hidden),
        new_code_cell("1 / 0", id="error"),
        new_code_cell("3", id="late"),
    )
    with lab.open("faulty.ipynb") as opened:
        before = opened.cells()
        assert before_running(before) == ["cell seen shows its output before it has run"]
        assert opened.run_all() is False
        after = opened.cells()
    assert after_running(before, after) == [
        "cell gap has a picture without an alternative text: 'Image'",
        "cell gap has a picture that cannot be shown",
        "cell lost has lost its output",
        "cell error: error: ZeroDivisionError: division by zero",
        "cell late has not run",
    ]
    assert outline(after) == ["the heading 'Three' leaves out a level"]
    assert [name for name, _, _ in sections(after)] == ["01-title.png", "02-one.png"]
    assert any("404" in complaint for complaint in opened.complaints)


def test_the_stop_button_ends_a_cell_that_awaits(lab: Lab) -> None:
    lab.write(
        "interrupt.ipynb",
        new_code_cell("import asyncio\n\nfrom asynclab import begin\n\nbegin()"),
        new_code_cell("print('asleep')\nawait asyncio.sleep(60)"),
        new_code_cell("await asyncio.sleep(0, 'awake')"),
    )
    with lab.open("interrupt.ipynb") as opened:
        opened.select(0)
        opened.page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
        assert not [output for output in opened.cells()[0]["outputs"] if output.startswith("error")]
        opened.select(1)
        opened.command("notebook:run-cell")
        _wait(lambda: opened.cells()[1]["outputs"] == ["stream"], 10)
        opened.command("notebook:interrupt-kernel")
        _wait(lambda: any(output.startswith("error") for output in opened.cells()[1]["outputs"]), 5)
        opened.select(2)
        opened.command("notebook:run-cell")
        _wait(lambda: opened.cells()[2]["outputs"] == ["execute_result"], 10)


def test_a_restart_ends_a_cell_that_stop_cannot_end(lab: Lab) -> None:
    spin = "async def spins():\n    print('begun')\n    while True:\n        pass\n\nawait spins()"
    lab.write("restart.ipynb", new_code_cell("kept = 1"), new_code_cell(spin), new_code_cell("kept"))
    with lab.open("restart.ipynb") as opened:
        opened.select(0)
        opened.page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
        opened.select(1)
        opened.command("notebook:run-cell")
        _wait(lambda: opened.cells()[1]["outputs"] == ["stream"], 10)
        opened.command("notebook:interrupt-kernel")
        opened.page.wait_for_timeout(2000)
        assert opened.page.evaluate(STATUS) == "busy"
        opened.page.get_by_role("button", name="Restart the kernel", exact=True).click()
        opened.page.locator(".jp-Dialog button.jp-mod-accept").click()
        _wait(lambda: opened.page.evaluate(STATUS) == "idle", 60)
        assert opened.cells()[1]["outputs"] == ["stream"]
        opened.select(2)
        opened.command("notebook:run-cell")
        _wait(lambda: opened.cells()[2]["outputs"] == ["error: NameError: name 'kept' is not defined"], 10)


def test_a_slider_replaces_figure_and_table(lab: Lab) -> None:
    lab.write("slider.ipynb", new_code_cell(SLIDER), new_code_cell("await end()"))
    with lab.open("slider.ipynb") as opened:
        assert opened.run_all() is True
        cell = opened.page.locator(".jp-CodeCell").first
        slider = cell.get_by_role("slider", name="how many tasks", exact=True)
        slider.focus()
        for tasks in (3, 4):
            opened.page.keyboard.press("ArrowRight")
            _wait(lambda n=tasks: cell.locator(f"img[alt*='{n} tasks in']").count() == 1, 15)
            assert cell.locator("img").count() == 1 and f"{tasks} tasks in" in (cell.locator("pre").last.text_content())
        _wait(lambda: "Ended after" in cell.get_by_role("status").inner_text(), 5)
        assert slider.evaluate("handle => handle === document.activeElement")
        opened.picture(PICTURES / "slider.png")
        assert not opened.complaints


SLIDER = """\
import asyncio
from asynclab import begin, end, trace
from asynclab.sliders.explorer import explore
begin()

async def waits(tasks=2):
    with trace("Some waits") as some:
        await asyncio.gather(*[asyncio.sleep(0.1) for _ in range(tasks)])
    return some

await explore(waits, tasks=(1, 9), labels={"tasks": "how many tasks"})"""


def test_a_replay_is_stepped_through_by_keys(lab: Lab) -> None:
    lab.write(
        "replay.ipynb", *[new_code_cell(source) for source in (TWO_TASKS, TRACED, "boss_first.replay()", "await end()")]
    )
    with lab.open("replay.ipynb") as opened:
        assert opened.run_all() is True
        opened.page.evaluate(SAVE)
        walk(opened.page.locator(".asynclab-replay").first, opened.page.locator(".asynclab-replay").last)
        opened.picture(PICTURES / "replay" / "lab.png", 1, 2)
        keys_are_shared(opened)
        for theme in ("JupyterLab Light", "JupyterLab Dark"):
            opened.page.evaluate("name => jupyterapp.commands.execute('apputils:change-theme', {theme: name})", theme)
            opened.page.wait_for_timeout(500)
            assert opened.page.evaluate(CONTRAST) >= 4.5, f"what a replay says can be read with {theme}"
        assert not opened.complaints
    notebook = lab.root / "notebooks" / "replay.ipynb"
    subprocess.run([sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", notebook], check=True, cwd=lab.root)
    for width in (960, 390):
        page = lab.browser.new_page(viewport={"width": width, "height": HEIGHT})
        page.goto(notebook.with_suffix(".html").as_uri(), wait_until="load")
        walk(page.locator(".asynclab-replay").first, page.locator(".asynclab-replay").last)
        page.screenshot(path=PICTURES / "replay" / f"page-{width}.png", full_page=True)
        is_played(page)
        page.close()


def walk(replay: Locator, other: Locator) -> None:
    """Step through the replay of TRACED by its keys, and see that the boxes, the code and the words tell the truth."""
    replay.locator("img").click()
    seen = []
    for _ in range(20):
        replay.page.keyboard.press("ArrowRight")  # to whatever has the focus after a click
        boxes = [box.locator(".asynclab-chip").all_inner_texts() for box in replay.locator(".asynclab-box").all()]
        names = [[re.fullmatch(r"\W+(.*?)(: .*)?", chip)[1] for chip in chips] for chips in boxes[:3]]
        said = replay.get_by_role("status").inner_text()
        if seen and said == seen[-1][1]:
            break
        assert len(names[0]) <= 1
        seen.append((names, said))
    states, sentences = [names for names, _ in seen], [said for _, said in seen]
    created = next(i for i, said in enumerate(sentences) if "boss creates worker" in said)
    assert states[created] == [["boss"], ["worker"], ["this cell"]], "a new task is ready, and its creator runs on"
    runs, sleeps = [["worker"], [], ["this cell", "boss"]], [[], [], ["this cell", "boss", "worker"]]
    assert created < states.index(runs) < states.index(sleeps) and "the loop sleeps" in sentences[states.index(sleeps)]
    assert "the trace ends" in sentences[-1]
    replay.press("Home")
    for _ in range(created):
        replay.press("ArrowRight")
    assert replay.get_by_role("status").inner_text() == sentences[created]
    running, ready = (
        replay.locator(f".asynclab-line.asynclab-{state}").all_inner_texts() for state in ("running", "ready")
    )
    assert len(running) == 1 and re.search(r"task = asyncio.create_task.*boss: running from here", running[0])
    assert len(ready) == 1 and re.search(r"def worker.*worker: ready to begin here", ready[0])
    replay.press("ArrowLeft")
    assert replay.get_by_role("status").inner_text() == sentences[created - 1]
    replay.get_by_role("button", name="Next step").click()
    assert replay.get_by_role("status").inner_text() == sentences[created]
    replay.get_by_role("slider").fill("1000")
    assert replay.get_by_role("status").inner_text() == sentences[-1]
    assert "to begin" in other.get_by_role("status").inner_text(), "two replays in a page do not meet"
    replay.press("Home")
    for _ in range(created):
        replay.press("ArrowRight")  # for the picture


def keys_are_shared(opened: Opened) -> None:
    """See that a replay keeps plain keys to itself while it has the focus, and takes none that belong to a notebook."""
    replay, keyboard = opened.page.locator(".asynclab-replay").first, opened.page.keyboard
    replay.press("Home")
    said, cells = replay.get_by_role("status").inner_text(), len(opened.cells())
    opened.page.locator(".jp-CodeCell .cm-content").first.click()
    keyboard.press("ArrowRight")  # in an editor
    assert replay.get_by_role("status").inner_text() == said
    one, slider = replay.get_by_role("button", name="Next step"), replay.get_by_role("slider")
    for number, (element, key) in enumerate([(one, "Enter"), (one, "ArrowRight"), (slider, "ArrowRight")], 2):
        element.focus()
        keyboard.press(key)
        assert f"{number} of" in replay.inner_text()
    keyboard.press("b")
    keyboard.press("Home")
    assert replay.get_by_role("status").inner_text() == said and len(opened.cells()) == cells
    keyboard.press("Escape")  # to the cell
    keyboard.press("b")
    _wait(lambda: len(opened.cells()) == cells + 1, 5)
    opened.command("notebook:delete-cell")
    _wait(lambda: len(opened.cells()) == cells, 5)
    replay.get_by_role("status").click()
    keyboard.press("ArrowRight")
    keyboard.press("Shift+Enter")
    _wait(lambda: "to begin" in replay.get_by_role("status").inner_text(), 20)  # the cell was run again


def is_played(page: Page) -> None:
    """See that a replay plays to its end and can be paused, also for whoever wants no motion."""
    replay = page.locator(".asynclab-replay").first
    slider = replay.get_by_role("slider")
    for motion in ("no-preference", "reduce"):
        page.emulate_media(reduced_motion=motion)
        replay.press("Home")
        replay.get_by_role("button", name="Play").click()
        _wait(lambda: 300 < float(slider.input_value()) < 1000, 5)
        replay.get_by_role("button", name="Pause").click()
        at = slider.input_value()
        page.wait_for_timeout(200)
        assert slider.input_value() == at
        replay.get_by_role("button", name="Play").click()
        _wait(lambda: replay.get_by_role("button", name="Pause").count() == 0, 8)
        assert "the trace ends" in replay.get_by_role("status").inner_text()


# The least contrast of a replay's texts with what lies behind them; a gradient counts as its darkest colour.
CONTRAST = """() => {
    const light = color => { const part = color.match(/[\\d.]+/g).slice(0, 3).map(Number).map(
        value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2]; };
    const behind = node => { for (; node; node = node.parentElement) {
        const {backgroundColor: color, backgroundImage: image} = getComputedStyle(node);
        const found = image.match(/rgb\\([^)]*\\)/g) ?? (color.match(/, 0\\)$/) ? [] : [color]);
        if (found.length) return found.map(light); } };
    const texts = [...document.querySelectorAll('.asynclab-replay *')].filter(node =>
        !node.closest('style') && [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim()));
    return Math.min(...texts.flatMap(node => { const mine = light(getComputedStyle(node).color);
        return behind(node).map(other => (Math.max(mine, other) + 0.05) / (Math.min(mine, other) + 0.05)); }));
}"""
TWO_TASKS = """\
import asyncio
import time
from asynclab import begin, end, trace
begin()

async def worker():
    await asyncio.sleep(0.05)

async def boss():
    task = asyncio.create_task(worker(), name="worker")
    time.sleep(0.15)
    await task"""
TRACED = """\
with trace("When does a task start?") as boss_first:
    await asyncio.create_task(boss(), name="boss")
boss_first.replay()"""


def test_a_check_shows_verdict_and_picture(lab: Lab) -> None:
    begin = "import asyncio\nfrom asynclab import begin, end\nfrom asynclab.exercises import exercise\nbegin()"
    check = "await exercise('1.1').check(breakfast)"
    answers = {
        "not yet": IN_TURN + check,
        "stopped": HANGS + check,
        "correct": SIDE_BY_SIDE + check,
        "hint": "exercise('1.1').hint()",
        "solution": "exercise('1.1').solution()",
        "progress": "from asynclab import progress\nprogress()",
    }
    sources = [begin, *answers.values(), "await end()"]
    lab.write("checks.ipynb", new_markdown_cell("# Checks"), *[new_code_cell(source) for source in sources])
    with lab.open("checks.ipynb") as opened:
        assert opened.run_all() is True
        opened.page.wait_for_timeout(500)
        faults = after_running(*[opened.cells()] * 2) + outline(opened.cells()) + opened.complaints
        cells = opened.page.locator(".jp-CodeCell")
        seen = {kind: cells.nth(number).inner_text() for number, kind in enumerate(answers, 1)}
        pictures = {kind: cells.nth(number).locator("img").count() for number, kind in enumerate(answers, 1)}
        for number, kind in enumerate(answers, 2):
            opened.picture(PICTURES / "checks" / f"{kind.replace(' ', '-')}.png", number, number)
    assert not faults
    assert "Not yet" in seen["not yet"] and "Not yet" in seen["stopped"] and "Correct" in seen["correct"]
    assert (pictures["not yet"], pictures["correct"]) == (1, 0)  # a picture where behaviour is at fault


IN_TURN = """\
async def breakfast(prepare):
    toast = await prepare("toast")
    tea = await prepare("tea")
    return [toast, tea]

"""
HANGS = """\
import time

async def breakfast(prepare):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

"""
SIDE_BY_SIDE = """\
async def breakfast(prepare):
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(prepare("toast"), name="toast")
        tea = group.create_task(prepare("tea"), name="tea")
    return [toast.result(), tea.result()]

"""


def _wait(condition: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
