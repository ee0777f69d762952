"""The repository's address: docs/links.py writes it wherever it stands, and all that bear it agree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import notebook_file

sys.path.insert(0, str(notebook_file.ROOT / "docs"))
import links

FIRST, SECOND = "some-body/asyncio.guide", "Another1/a_guide"
BINDER = r"\(https://mybinder\.org/v2/gh/[\w.-]+/[\w.-]+/HEAD\?urlpath=lab/tree/notebooks/00_start_here\.ipynb\)"
BADGE = re.compile(rf"^\[!\[[^\]]{{15,}}\]\(https://mybinder\.org/badge_logo\.svg\)\]{BINDER}", re.MULTILINE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the files that bear the address."""
    (tmp_path / "docs").mkdir()
    for path in links.files(links.ROOT):
        shutil.copy(path, tmp_path / path.relative_to(links.ROOT))
    return tmp_path


def texts(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in links.files(root)}


def test_every_link_leads_where_pyproject_says() -> None:
    assert links.disagreeing(links.ROOT) == []
    known = links.address(links.ROOT) != links.UNKNOWN
    assert bool(BADGE.search(texts(links.ROOT)["README.md"])) == known  # one that leads nowhere is not shown


def test_an_address_is_written_everywhere_and_the_next_one_replaces_it(copy: Path) -> None:
    links.write(copy, FIRST)
    first = texts(copy)
    assert BADGE.search(first["README.md"]) and not any(links.UNKNOWN in text for text in first.values())
    links.write(copy, SECOND)
    assert texts(copy) == {name: text.replace(FIRST, SECOND) for name, text in first.items()}
    assert links.address(copy) == SECOND and links.disagreeing(copy) == [] == links.write(copy, SECOND)
    assert not list(copy.rglob(".*.tmp"))


def test_a_link_that_was_forgotten_is_found_and_mended(copy: Path) -> None:
    links.write(copy, FIRST)
    readme, right = copy / "README.md", texts(copy)["README.md"]
    readme.write_text(right.replace(f"gh/{FIRST}", f"gh/{SECOND}"), "utf-8")
    assert [line.split(":")[0] for line in links.disagreeing(copy)] == ["README.md"]
    assert links.write(copy, FIRST) == [readme] and readme.read_text("utf-8") == right


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("git clone https://github.com/x/y.git", "git clone https://github.com/a/b.git"),
        ("see https://github.com/x/y. Then", "see https://github.com/a/b. Then"),
        ("repository: OWNER/NAME", "repository: a/b"),
        ("HUB/git-pull?repo=https://github.com/x/old&branch=main", "HUB/git-pull?repo=https://github.com/a/b&branch=main"),
        ("https://github.com/x/y.py, github.com/x/yy, x/y", "https://github.com/x/y.py, github.com/x/yy, x/y"),
        ("<!-- [![an alternative](b.svg)](https://mybinder.org/v2/gh/OWNER/NAME/HEAD) --> <!-- text -->",
         "[![an alternative](b.svg)](https://mybinder.org/v2/gh/a/b/HEAD) <!-- text -->"),
    ],
)  # fmt: skip
def test_links_to_the_guide_change_and_no_others(text: str, after: str) -> None:
    assert links.rewritten(text, "x/y", "a/b") == after


@pytest.mark.parametrize(
    "bad", ["", "nonsense", "a/b/c", "a/..", "a/b.git", "-a/b", "a/b c", "ä/b", "https://github.com/a/b", links.UNKNOWN]
)
def test_a_bad_address_changes_nothing(bad: str, copy: Path) -> None:
    before = texts(copy)
    with pytest.raises(ValueError, match="give REPO=owner/name"):
        links.write(copy, bad)
    assert texts(copy) == before


def test_the_command_says_in_one_line_what_is_wrong() -> None:
    done = subprocess.run([sys.executable, links.__file__, "nonsense"], capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "'nonsense'" in done.stderr
