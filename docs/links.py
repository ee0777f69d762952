"""Write the repository's address wherever it stands: `make links REPO=owner/name` (python docs/links.py owner/name).

The address is known from one place, `Repository` in pyproject.toml. Every link to the repository follows it: those to
GitHub itself, Binder's, and the ones with which a class fetches the guide. Links to other projects stay as they are.
As long as no address is known, the links say OWNER/NAME, and the README's badge is a comment, which nobody sees.
Whoever publishes a copy of the guide gives the copy's address in the same way.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "pyproject.toml"
LINKED = (SOURCE, "*.md", "docs/*.md", "docs/*.yaml")  # no notebooks: their links stay within the guide
UNKNOWN = "OWNER/NAME"
EXAMPLE = "REPO=owner/name, as in https://github.com/owner/name"

_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9_.-]{0,99}[A-Za-z0-9_-](?<!\.git)")
_END = r"(?![\w-]|\.(?!git\b)\w)"  # of an address: `owner/name.git` has the same as `owner/name`, `owner/names` has not
# Links that lead to nothing but the guide: whatever address they bear, it is meant to be the guide's.
_OURS = rf"(?:(?<=mybinder\.org/v2/gh/)|(?<=\?repo=https://github\.com/)){_ADDRESS.pattern}{_END}"
_HIDDEN_BADGE = re.compile(r"<!-- (\[!\[.*?\]\(https://mybinder\.org/v2/gh/.*?\)) -->")


def files(root: Path) -> list[Path]:
    """Return the files that may bear the address; the one that decides it comes last."""
    found = {path for pattern in LINKED for path in root.glob(pattern)}
    return sorted(found, key=lambda path: (path.name == SOURCE, path))


def address(root: Path) -> str:
    """Return the address that pyproject.toml names, which may be OWNER/NAME. Raises ValueError if it names none."""
    urls = tomllib.loads((root / SOURCE).read_text("utf-8"))["project"].get("urls", {})
    owner_name = urls.get("Repository", "").removeprefix("https://github.com/")
    if not _ADDRESS.fullmatch(owner_name):
        line = f'Repository = "https://github.com/{UNKNOWN}"'
        raise ValueError(f"{SOURCE} does not say where the repository is: write {line} below [project.urls]")
    return owner_name


def rewritten(text: str, old: str, new: str) -> str:
    """Return `text` with every link to the repository, so far at the address `old`, leading to `new`."""
    links = rf"{_OURS}|(?<=github\.com/){re.escape(old)}{_END}|\b{UNKNOWN}\b"
    text = re.sub(links, lambda _: new, text)
    return text if new == UNKNOWN else _HIDDEN_BADGE.sub(r"\1", text)


def disagreeing(root: Path) -> list[str]:
    """Return each line, with its file and number, that does not bear the address of pyproject.toml."""
    ours = address(root)
    return [
        f"{path.relative_to(root).as_posix()}:{number}: {line.strip()}"
        for path in files(root)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if rewritten(line, ours, ours) != line
    ]


def write(root: Path, new: str) -> list[Path]:
    """Write the address `new` and return the files that changed. Raises ValueError for a bad one, and writes nothing.

    pyproject.toml is replaced last: after a failure half way, the same command does the rest.
    """
    if new == UNKNOWN or not _ADDRESS.fullmatch(new):
        raise ValueError(f"{new!r} is not the address of a repository: give {EXAMPLE}")
    old = address(root)
    texts = {path: path.read_text("utf-8") for path in files(root)}
    changed = {path: after for path, text in texts.items() if (after := rewritten(text, old, new)) != text}
    drafts = {path: path.with_name(f".{path.name}.tmp") for path in changed}
    try:
        for path, draft in drafts.items():
            draft.write_text(changed[path], "utf-8", newline="\n")
        for path, draft in drafts.items():
            os.replace(draft, path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    return list(changed)


if __name__ == "__main__":
    try:
        changed = write(ROOT, " ".join(sys.argv[1:]))
    except ValueError as error:
        raise SystemExit(str(error)) from None
    for path in changed:
        print(f"written: {path.relative_to(ROOT)}")
    print("Every link leads there now." if changed else "Every link led there already.")
