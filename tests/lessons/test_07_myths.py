"""What the myth court of chapter 7 rests on: a verdict for each claim and version, a cell for each, a rule that bites.

The rulings themselves are made when the notebook runs.
"""

import contextlib
import json
import re
import time
from types import SimpleNamespace

import pytest

from asynclab.taught import NOTEBOOKS

CELLS = json.loads((NOTEBOOKS / "07_performance_comparison_deeper.ipynb").read_text(encoding="utf-8"))["cells"]
SEEN = {"yes": (True,), "no": (False,), "if": (True, False)}


def texts(kind, *ids):
    return "\n".join(
        "".join(each["source"]) for each in CELLS if each["cell_type"] == kind and (each["id"] in ids or not ids)
    )


court = {"time": time}
with contextlib.chdir(NOTEBOOKS):  # where ../data is the data
    exec(texts("code", "court-table", "court-rule"), court)
COURT = court["COURT"]
VERSIONS = list(COURT[0])[1:-1]


def test_each_claim_is_put_and_ruled_on_once_in_order():
    asked = re.findall(r"^### Claim (\d+\. )“(.+)”$", texts("markdown").replace("`", ""), re.M)
    assert ["".join(each).lower() for each in asked] == [row["claim"].lower() for row in COURT]
    assert [int(each) for each in re.findall(r"^\s*rule\((\d+),", texts("code"), re.M)] == list(range(1, 21))


@pytest.mark.parametrize("number", range(1, 21))
def test_each_version_has_a_verdict_and_any_other_is_refused(number, monkeypatch, capsys):
    row = COURT[number - 1]
    assert ("if" in [row[version] for version in VERSIONS]) == bool(row["if"])
    for version in VERSIONS:
        stored = row[version]
        minor = int(version.removeprefix("3."))
        monkeypatch.setitem(court, "sys", SimpleNamespace(version_info=SimpleNamespace(minor=minor)))
        for word, seen in SEEN.items():
            if word == stored:
                court["rule"](number, *seen)
            else:
                with pytest.raises(AssertionError, match=f"claim {number}: seen '{word}', stored '{stored}'"):
                    court["rule"](number, *seen)
    assert len(set(capsys.readouterr().out.splitlines())) == 1  # the same words on every version
