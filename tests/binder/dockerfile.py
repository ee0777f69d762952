"""What Binder would build: repo2docker reads the project and writes the Dockerfile, which needs no Docker.

Run with `make binder`.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings(action="ignore"):  # it imports what is deprecated
    from repo2docker.app import Repo2Docker
    from repo2docker.buildpacks import conda

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "environment.yml"
VERSION = re.search(r"- python=(.*)", (ROOT / ENVIRONMENT).read_text("utf-8"))[1]


def base(version: str = VERSION) -> Path:
    """Return the lock of what Binder installs first, for that version of Python."""
    return Path(conda.__file__).with_name(f"environment.py-{version}-linux-64.lock")


def copied(folder: Path) -> Path:
    """Copy the project to `folder`, without what git does not keep; return the copy."""
    local = (".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "node_modules", "build")
    return shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*local))


def dockerfile(project: Path) -> tuple[str, str]:
    """Return the Dockerfile that repo2docker writes for the project, and what it says meanwhile."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copied(tmp_path / "project")


def test_environment_yml_is_what_it_installs(project: Path) -> None:
    with contextlib.chdir(project):
        packs = [pack for pack in Repo2Docker().buildpacks if pack("an image").detect()]
    assert packs[0] is conda.CondaBuildPack
    text, said = dockerfile(project)
    assert f"Building conda environment for python={VERSION}" in said and base().exists()
    copied_first = re.search(r"COPY .*/(\S+) /tmp/env/environment\.lock", text)[1]
    assert base().name in re.sub(r"-([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), copied_first)
    assert re.findall(r"env update .*--file (\S+)", text) == [f'"{ENVIRONMENT}"']
    # The project is copied first, for environment.yml names requirements.txt; and to ${HOME}, so that .jupyter counts.
    assert text.index("ARG REPO_DIR=${HOME}") < text.index("src/ ${REPO_DIR}/") < text.index("env update")


def test_nothing_else_decides(project: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(project / ENVIRONMENT, alone)
    assert dockerfile(project)[0] == dockerfile(alone)[0]


@pytest.mark.parametrize("name", ["apt.txt", "postBuild", ".binder/requirements.txt"])
def test_a_file_that_would_decide_is_seen(name: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / ENVIRONMENT, tmp_path)
    before = dockerfile(tmp_path)[0]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("cowsay\n", "utf-8")
    assert dockerfile(tmp_path)[0] != before
