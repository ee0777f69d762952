"""What runs at the host of the repository can neither be exchanged for something else nor write there."""

import re
from pathlib import Path

import pytest
import yaml

GITHUB = Path(__file__).parents[2] / ".github"
WORKFLOWS = [*GITHUB.glob("workflows/*.yml"), *GITHUB.glob("workflows/*.yaml")]
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_action_is_a_commit_and_none_may_write(path):
    text, workflow = path.read_text("utf-8"), yaml.safe_load(path.read_text("utf-8"))
    uses = [line.strip().removeprefix("- ") for line in text.splitlines() if "uses:" in line]
    assert uses and all(PINNED.match(line) for line in uses), [line for line in uses if not PINNED.match(line)]
    assert len(set(uses)) == len({line.partition("@")[0] for line in uses}), "one version of each action"
    assert workflow["permissions"] == {"contents": "read"}
    assert not set(workflow[True]) & {"pull_request_target", "workflow_run"}, "they run with more rights (True: `on`)"
    for name, job in workflow["jobs"].items():
        assert "permissions" not in job and job["timeout-minutes"], name
        for step in job["steps"]:
            assert "github.event" not in step.get("run", ""), "what a stranger wrote would be run"
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name


def test_every_week_the_locked_packages_are_looked_up():
    [job] = [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
             if {"run": "make audit"} in job["steps"]]  # fmt: skip
    assert job["if"] == "github.event_name == 'schedule'"
