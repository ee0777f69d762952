"""What the myth court of chapter 7 rests on: a verdict for each claim and version, a cell for each, a rule that bites.

The rulings themselves are made when the notebook runs.
"""

import contextlib
import json
import re
from types import SimpleNamespace

import pytest

from asynclab.taught import NOTEBOOKS, taught

NAME = "07_performance_comparison_deeper"
with contextlib.chdir(NOTEBOOKS):  # where ../data is the data
    court = taught(NAME)
VERSIONS = list(court.COURT[0])[1:-1]
SEEN = {"yes": (True,), "no": (False,), "if": (True, False)}


def texts(kind):
    cells = json.loads((NOTEBOOKS / f"{NAME}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == kind)


def test_each_claim_is_put_and_ruled_on_once_in_order():
    asked = re.findall(r"^### Claim (\d+\. )“(.+)”$", texts("markdown").replace("`", ""), re.M)
    assert ["".join(each).lower() for each in asked] == [row["claim"].lower() for row in court.COURT]
    assert [int(each) for each in re.findall(r"^\s*rule\((\d+),", texts("code"), re.M)] == list(range(1, 21))


@pytest.mark.parametrize("number", range(1, 21))
def test_each_version_has_a_verdict_and_any_other_is_refused(number, monkeypatch, capsys):
    row = court.COURT[number - 1]
    assert ("if" in [row[version] for version in VERSIONS]) == bool(row["if"])
    for version in VERSIONS:
        stored = row[version]
        minor = int(version.removeprefix("3."))
        monkeypatch.setattr(court, "sys", SimpleNamespace(version_info=SimpleNamespace(minor=minor)))
        for word, seen in SEEN.items():
            if word == stored:
                court.rule(number, *seen)
            else:
                with pytest.raises(AssertionError, match=f"claim {number}: seen '{word}', stored '{stored}'"):
                    court.rule(number, *seen)
    assert len(set(capsys.readouterr().out.splitlines())) == 1  # the same words on every version
