"""What a cell shows and a learner moves: a slider, a replay, the cards of an exercise."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import numpy as np
from nbformat.v4 import new_code_cell, new_markdown_cell
from PIL import Image
from playwright.sync_api import Locator, Page

from barriers import barriers
from lab import DARK, HEIGHT, LIGHT, PICTURES, SAVE, Lab, Opened, wait_for
from notebooks import after_running, outline


def test_a_slider_replaces_figure_and_table(lab: Lab) -> None:
    lab.write("slider.ipynb", new_code_cell(SLIDER), new_code_cell("await end()"))
    with lab.open("slider.ipynb") as opened:
        assert opened.run_all() is True
        cell = opened.page.locator(".jp-CodeCell").first
        slider = cell.get_by_role("slider", name="how many tasks", exact=True)
        slider.focus()
        for tasks in (3, 4):
            opened.page.keyboard.press("ArrowRight")
            wait_for(lambda n=tasks: cell.locator(f"img[alt*='{n} tasks in']").count() == 1)
            assert cell.locator("img").count() == 1 and f"{tasks} tasks in" in (cell.locator("pre").last.text_content())
        wait_for(lambda: "Ended after" in cell.get_by_role("status").inner_text())
        assert slider.evaluate("handle => handle === document.activeElement")
        opened.picture(PICTURES / "slider.png")
        assert not opened.complaints and not barriers(opened)


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
        for theme in (DARK, LIGHT):
            opened.choose(theme)
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


# What has the focus: its name if it is ours, and its box.
FOCUSED = """() => {
    const it = document.activeElement, {x, y, width, height} = it.getBoundingClientRect();
    const ours = it.closest('.jp-MarkdownOutput, .jp-OutputArea-output') && !it.matches('.jp-collapseHeadingButton');
    const inside = it.closest('.jp-Cell') !== null, name = it.getAttribute('aria-label') ?? it.textContent.trim();
    return {inside, name: ours ? name : '', box: {x: x - 6, y: y - 6, width: width + 12, height: height + 12}};
}"""
REFOCUS = "wanted => { if (wanted) window.left.focus(); else (window.left = document.activeElement).blur(); }"


def marked(page: Page, box: dict[str, float]) -> bool:
    """Return whether the focus shows: in a contrast of 3 to 1 or more, on the length of half a frame around the box."""
    lights = []
    for wanted in (False, True):
        page.evaluate(REFOCUS, wanted)
        with Image.open(io.BytesIO(page.screenshot(clip=box, animations="disabled"))) as picture:
            part = np.asarray(picture.convert("RGB")) / 255
        linear = np.where(part <= 0.03928, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        lights.append(linear @ (0.2126, 0.7152, 0.0722) + 0.05)
    return (np.maximum(*lights) / np.minimum(*lights) >= 3).sum() >= box["width"] + box["height"]


def test_everything_is_reached_by_keys_and_shows_that_it_is(lab: Lab) -> None:
    lab.write(
        "keys.ipynb",
        new_markdown_cell("# Keys\n\nA [first link](#Keys).\n\n<details><summary>A hint</summary>Here</details>"),
        *[new_code_cell(source) for source in (SLIDER, TWO_TASKS.replace("begin()\n", ""), TRACED)],
        new_markdown_cell("The [last link](#Keys)."),
    )
    in_words = "The same in words"
    replay = ["Replay of “When does a task start?”: step with the arrow keys", "◀︎ Previous step", "Next step ▶︎"]
    replay += ["How much of the timeline is shown", "Play", in_words]
    expected = ["first link", "A hint", "how many tasks", "2", "Run again", in_words, *replay, "last link"]
    with lab.open("keys.ipynb") as opened:
        page, keyboard = opened.page, opened.page.keyboard
        for _ in range(4):  # from the first cell to the last
            keyboard.press("Shift+Enter")
        page.locator(".asynclab-replay").wait_for()
        page.locator("[aria-label='how many tasks']").wait_for()
        for _ in range(4):
            keyboard.press("ArrowUp")
        for theme, key, wanted in ((LIGHT, "Tab", expected), (DARK, "Shift+Tab", expected[::-1])):
            opened.choose(theme)
            reached, unmarked = [], []
            for _ in range(60):
                keyboard.press(key)
                page.wait_for_timeout(100)
                focused = page.evaluate(FOCUSED)
                if focused["name"]:
                    reached.append(focused["name"])
                    unmarked += [focused["name"]] * (not marked(page, focused["box"]))
                if focused["name"] == "A hint":
                    keyboard.press("Enter")  # opens it, and closes it on the way back
                    assert (page.locator("details").first.get_attribute("open") is None) == (theme == DARK)
                if not focused["inside"]:
                    break
            assert (reached, unmarked) == (wanted, []), theme
            if theme == LIGHT:
                opened.picture(PICTURES / "keys.png")
        opened.choose(LIGHT)


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
    wait_for(lambda: len(opened.cells()) == cells + 1)
    opened.command("notebook:delete-cell")
    wait_for(lambda: len(opened.cells()) == cells)
    replay.get_by_role("status").click()
    keyboard.press("ArrowRight")
    keyboard.press("Shift+Enter")
    wait_for(lambda: "to begin" in replay.get_by_role("status").inner_text())  # the cell was run again


def is_played(page: Page) -> None:
    """See that a replay plays to its end and can be paused, also for whoever wants no motion."""
    replay = page.locator(".asynclab-replay").first
    slider = replay.get_by_role("slider")
    for motion in ("no-preference", "reduce"):
        page.emulate_media(reduced_motion=motion)
        replay.press("Home")
        replay.get_by_role("button", name="Play").click()
        wait_for(lambda: 300 < float(slider.input_value()) < 1000)
        replay.get_by_role("button", name="Pause").click()
        at = slider.input_value()
        page.wait_for_timeout(200)
        assert slider.input_value() == at
        replay.get_by_role("button", name="Play").click()
        wait_for(lambda: replay.get_by_role("button", name="Pause").count() == 0)
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
        faults += barriers(opened)
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
