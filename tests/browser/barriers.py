"""What keeps people from reading a notebook in JupyterLab or from using it, as axe-core finds it."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python

from lab import DARK, LIGHT, Opened

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")

# JupyterLab's own, inside a cell: by the rule, what no notebook can mend, and why.
LABS_OWN = {
    "button-name": ".jp-collapseHeadingButton",  # it has a picture and no name
    "color-contrast": ".jp-InputPrompt, .jp-OutputPrompt, .jp-MarkdownOutput pre code *",  # pale by the theme
    "link-in-text-block": ".jp-MarkdownOutput a, .jp-RenderedText a",  # the theme takes the line from under a link
}
EDITOR = ".cm-editor"  # is CodeMirror's, has no name, cannot be scrolled by keys, and takes axe as long as the rest
# All rules once; in other colours only those that look at colours. At the end, the light theme is back.
RULES = {DARK: ["color-contrast", "link-in-text-block"], LIGHT: None}

# Show what a learner can open: every <details>, and each replay at a moment of which it has something to say.
OPEN_ALL = """() => {
    for (const details of document.querySelectorAll('.jp-Cell details')) details.open = true;
    for (const replay of document.querySelectorAll('.asynclab-replay')) for (let step = 0; step < 4; step++)
        replay.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
}"""
FOUND = """async ([rules, editor, labsOwn]) => {
    const only = rules ? {runOnly: rules} : {}, {widgets} = jupyterapp.shell.currentWidget.content;
    const {violations} = await axe.run({include: [['.jp-Notebook .jp-Cell']], exclude: [[editor]]},
        {resultTypes: ['violations'], elementRef: true, preload: false, ...only});
    return violations.flatMap(({id, nodes}) => nodes.filter(
        ({element}) => !labsOwn[id] || !element.matches(labsOwn[id])
    ).map(({element, html, any, all, none}) => `cell ${widgets.find(cell => cell.node.contains(element)).model.id}: `
        + `${id}: ${[...any, ...all, ...none][0].message}: ${html}`));
}"""


def barriers(opened: Opened) -> list[str]:
    """Open all that can be opened, and return what is wrong in each theme."""
    opened.page.evaluate(OPEN_ALL)
    opened.page.evaluate(AXE)
    found = []
    with opened.in_full():
        for theme, rules in RULES.items():
            opened.choose(theme)
            found += [f"{theme}: {fault}" for fault in opened.page.evaluate(FOUND, [rules, EDITOR, LABS_OWN])]
    return found
