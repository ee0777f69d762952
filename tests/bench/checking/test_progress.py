"""What was done is kept, whatever happens to the file: two notebooks at once, damage, a folder that is not ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from asynclab.checking.progress import VARIABLE, Record, Report, Store, store
from asynclab.exercises import all_exercises, progress

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the learner's data that is nobody's; it does not exist yet."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


def test_without_the_variable_it_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    kept = store()
    assert kept.file.parent.name == "asyncio-guide"
    assert not kept.file.is_relative_to(NOTEBOOKS)
    assert sys.platform != "linux" or kept.file.parent == tmp_path / "asyncio-guide"


def test_looking_leaves_nothing_behind(folder: Path) -> None:
    assert store().records() == {}
    assert progress().done == 0
    progress(reset=True)
    assert not folder.exists()


def test_attempts_are_counted_and_correct_stays_correct(folder: Path) -> None:
    for correct in (False, True, False):
        store().add("1.1", correct)
    store().add("1.2", False)
    expected = {"1.1": Record(3, True), "1.2": Record(1, False)}
    assert store().records() == expected
    assert Store(folder).records() == expected, "another kernel reads the same"
    assert [path.name for path in folder.iterdir()] == ["progress.jsonl"]
    assert store().news() == ""


def test_reset_forgets_everything(folder: Path) -> None:
    store().add("1.1", True)
    assert progress().done == 1
    assert progress(reset=True).done == 0
    assert Store(folder).records() == {}
    store().add("1.2", True)
    assert store().records() == {"1.2": Record(1, True)}


_WRITER = """
import sys
from pathlib import Path
from asynclab.checking.progress import Store

kept = Store(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(40):
    kept.add("1.1", False)
    kept.add(sys.argv[2], True)
assert kept.news() == "", kept.news()
"""


def test_two_notebooks_at_once_lose_nothing(folder: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder), name],
            cwd=NOTEBOOKS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("1.2", "1.3")
    ]
    for each in writers:
        assert each.stdout.readline() == "ready\n"
    for each in writers:  # both begin now
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in writers:
        each.communicate(timeout=60)
        assert each.returncode == 0
    assert Store(folder).records() == {"1.1": Record(80), "1.2": Record(40, True), "1.3": Record(40, True)}


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b'{"exercise": "1.2"}', b'{"exercise": "1.2", "cor', b"[" * 100_000],
)
def test_a_damaged_line_spoils_no_other(folder: Path, line: bytes) -> None:
    folder.mkdir()
    (folder / "progress.jsonl").write_bytes(b'{"exercise": "1.1", "correct": true, "later": []}\n' + line + b"\n")
    assert store().records() == {"1.1": Record(1, True)}
    store().add("1.2", True)
    assert progress().done == 2 and store().news() == ""


def test_a_folder_that_cannot_be_written_is_said_once_and_caught_up_later(folder: Path) -> None:
    folder.write_text("a file stands where the folder would be")  # works for the superuser, too
    store().add("1.1", True)
    news = store().news()
    assert news.startswith("Your progress is not kept: ") and str(folder) in news
    store().add("1.2", False)
    assert store().news() == "", "it is said once"
    assert progress().done == 1, "what was done since the kernel began counts even so"
    folder.unlink()
    store().add("1.2", False)
    assert Store(folder).records() == {"1.1": Record(1, True), "1.2": Record(2, False)}


def test_a_file_that_cannot_be_read(folder: Path) -> None:
    (folder / "progress.jsonl").mkdir(parents=True)
    report = progress()
    assert report.done == 0 and report.news.startswith("Your progress cannot be read: ")
    assert progress().news == ""


def test_the_report_of_all_chapters() -> None:
    ids = [each.id for each in all_exercises()]
    store().add(ids[0], True)
    store().add(ids[1], False)
    report = progress()
    assert (report.done, report.total) == (1, len(ids))
    text = str(report)
    assert f"1 of {len(ids)} exercises are correct" in text
    assert f"✓ {ids[0]} · ✕ {ids[1]} · – {ids[2]}" in text
    assert "✓ correct · ✕ not yet · – not attempted" in text
    html = report._repr_mimebundle_()["text/html"]
    assert html.startswith("<!--") and "<caption" in html and 'scope="row"' in html
    words = re.sub(r"<!--.*?-->|<[^>]+>", "", html)
    for fact in ("1. Basic async/await", "1 of 5", f"✓ {ids[0]}", f"✕ {ids[1]}"):
        assert fact in words, "what the bar shows stands beside it, in words"
    assert report._repr_mimebundle_()["text/plain"] == text == repr(report)


def test_bars_are_as_long_as_what_is_done() -> None:
    chapters = [("1. One", {"1.1": "correct", "1.2": "correct"}), ("2. Two", {"2.1": "correct", "2.2": "not yet"})]
    report = Report([*chapters, ("3. <Three>", {"3.1": "not attempted"})])
    html = report._repr_mimebundle_()["text/html"]
    assert re.findall(r"<div style=\"width:(\d+)%", html) == ["100", "50", "0"]
    assert "3. &lt;Three&gt;" in html
    assert [line.count("█") for line in str(report).splitlines()[2:5]] == [10, 5, 0]
    assert "Your progress: 3 of 5" in html


def test_an_exercise_that_is_no_longer_in_the_guide_is_not_counted_and_not_lost(folder: Path) -> None:
    store().add("0.99", True)
    assert progress().done == 0
    store().add("1.1", True)
    assert Store(folder).records()["0.99"] == Record(1, True)


def test_the_tests_do_not_touch_the_users_folder(folder: Path) -> None:
    assert store().file.parent == folder
