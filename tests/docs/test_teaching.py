"""What a teacher is told: the values for Kubernetes are ones that the chart knows, and what is named is there."""

from __future__ import annotations

import copy
import re
from pathlib import PurePosixPath

import jsonschema
import pytest
import yaml

import notebook_file

ROOT = notebook_file.ROOT
VALUES = yaml.safe_load((ROOT / "docs" / "zero_to_jupyterhub.yaml").read_text("utf-8"))
TEXT = (ROOT / "docs" / "classroom.md").read_text("utf-8")

# What we set, with the types that the chart's own schema gives it: jupyterhub/values.schema.yaml of
# github.com/jupyterhub/zero-to-jupyterhub-k8s at 02dd73d. Helm checks against the whole of it. Whatever is not listed
# here is refused; so a new setting is looked up there first.
SWITCH = {"enabled": "boolean"}
KNOWN = {
    "hub": {"config": "object"},  # free in the chart
    "singleuser": {
        "image": {"name": "string", "tag": "string"},
        "lifecycleHooks": {"postStart": "object"},
        "extraEnv": "object",
        "defaultUrl": "string",
        "storage": {"capacity": "string"},
        "memory": {"guarantee": ["number", "string"], "limit": ["number", "string"]},
        "cpu": {"guarantee": "number", "limit": "number"},
        "startTimeout": "integer",
        "networkPolicy": {
            "enabled": "boolean",
            "egressAllowRules": {"nonPrivateIPs": "boolean", "privateIPs": "boolean", "cloudMetadataServer": "boolean"},
        },
    },
    "prePuller": {"hook": SWITCH, "continuous": SWITCH},
    "scheduling": {
        "userScheduler": SWITCH,
        "podPriority": SWITCH,
        "userPlaceholder": {**SWITCH, "replicas": "integer"},
    },
    "cull": {**SWITCH, "timeout": "integer", "every": "integer"},
}


def schema(known: dict | list | str) -> dict:
    """Return the JSON schema of what is `known`: no other keys, and these types."""
    if not isinstance(known, dict):
        return {"type": known}
    properties = {name: schema(inside) for name, inside in known.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def test_the_chart_knows_each_value() -> None:
    jsonschema.validate(VALUES, schema(KNOWN))


@pytest.mark.parametrize(
    ("path", "value"),
    [("cul", {}), ("singleuser.memory.limits", "2G"), ("singleuser.image.tag", 1.0), ("cull.timeout", "1h")],
)
def test_a_wrong_value_is_found(path: str, value: object) -> None:
    wrong = inside = copy.deepcopy(VALUES)
    *outer, last = path.split(".")
    for name in outer:
        inside = inside[name]
    inside[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema(KNOWN))


def test_the_values_agree_about_where_the_guide_is() -> None:
    user = VALUES["singleuser"]
    _, _, command = user["lifecycleHooks"]["postStart"]["exec"]["command"]
    image, home = map(PurePosixPath, re.search(r"cp -r (\S+) (\S+)", command).groups())
    assert f"[ -e {home} ]" in command
    root = PurePosixPath(VALUES["hub"]["config"]["KubeSpawner"]["notebook_dir"])
    opened = root / PurePosixPath(user["defaultUrl"]).relative_to("/lab/tree")
    assert (ROOT / opened.relative_to(home)).is_file()
    settings = PurePosixPath(user["extraEnv"]["JUPYTER_CONFIG_PATH"])
    assert (ROOT / settings.relative_to(image) / "jupyter_server_config.py").is_file()
    assert f"--target-repo-dir {image} " in (ROOT / "docs" / "zero_to_jupyterhub.yaml").read_text("utf-8")


def test_what_the_text_names_is_there() -> None:
    for text, link in re.findall(r"\[([^]]+)\]\(((?!https:)[^)]+)\)", TEXT):
        path, _, anchor = link.partition("#")
        page = (ROOT / "docs" / path).read_text("utf-8") if path else TEXT
        anchors = {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall("^#+ (.+)$", page, re.M)
        }
        assert not anchor or anchor in anchors, f"{text} leads to {link}"
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", TEXT)) <= targets
    commands = set(re.findall(r"(?:python|cp(?: -r)?) ((?:docs|tests|\.jupyter)/[\w./]+)", TEXT))
    assert len(commands) >= 3 and all((ROOT / path).exists() for path in commands)
    opened = re.findall(r"urlpath=lab/tree/(?:asyncio-guide/)?(\S+\.ipynb)", TEXT)
    assert len(opened) == 2 and all((ROOT / path).is_file() for path in opened)
