# Each target sets up what it needs: the folder .venv with the packages of requirements.txt, brought up to
# date when that file is newer. GNU make 3.81 (macOS) is enough. On Windows, README.md has the same commands.

PYTHON ?= python3
UV ?= uv
BIN := .venv/bin
ENVIRONMENT := notebooks/asynclab/environment.py
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate $(UPGRADE)
# Empty, or one line that says why this Python will not do.
unfit = $(shell ($(1) $(ENVIRONMENT) --python-only) 2>&1; true)

.DELETE_ON_ERROR:
.PHONY: help lab test lint format render browser bench soak lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

lab: .venv/installed  ## open the guide in JupyterLab
	@$(BIN)/python $(ENVIRONMENT)
	$(BIN)/python -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) \
	  --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

test: .venv/installed  ## run every notebook and every test
	$(BIN)/python -m pytest

lint: .venv/installed-lint  ## check style, spelling and stored outputs, notebooks included
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/python tests/render.py --check

format: .venv/installed-lint  ## put code and notebooks in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

render: .venv/installed  ## execute the notebooks that changed and store their outputs
	$(BIN)/python tests/render.py

browser: .venv/installed-browser  ## run every notebook in a real JupyterLab; pictures in build/browser
	$(BIN)/python -m pytest -o addopts= tests/browser/lab.py

bench: .venv/installed-benchmarks  ## measure the code beside its peers: a table, and a picture in build (EFFORT=quick)
	$(BIN)/python tests/benchmarks --effort $(or $(EFFORT),usual)

soak: .venv/installed  ## run what only repeats or loads, weekly: every chapter busy, hurried, and ten times at once
	$(BIN)/python -m pytest -o addopts= -o python_files='*.py' tests/soak

lock:  ## write the lock files anew from pyproject.toml (UPGRADE=--upgrade for newer versions); needs uv
	$(COMPILE) pyproject.toml --output-file requirements.txt
	$(COMPILE) --constraints requirements.txt --group lint --output-file tests/lint/requirements.txt
	$(COMPILE) --constraints requirements.txt --group browser --output-file tests/browser/requirements.txt
	$(COMPILE) --constraints requirements.txt --group benchmarks --output-file tests/benchmarks/requirements.txt

$(BIN)/python:
	$(if $(call unfit,$(PYTHON)),$(error $(call unfit,$(PYTHON))))
	$(PYTHON) -m venv --clear .venv

.venv/installed: requirements.txt $(BIN)/python
	$(if $(call unfit,$(BIN)/python),$(error $(call unfit,$(BIN)/python)))
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.venv/installed-%: tests/%/requirements.txt .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
