# Each target sets up what it needs: the folder .venv with the packages of requirements.txt, brought up to
# date when that file is newer. GNU make 3.81 (macOS) is enough. On Windows, README.md has the same commands.

PYTHON ?= python3
UV ?= uv
BIN := .venv/bin
ENVIRONMENT := notebooks/asynclab/environment.py
LAYOUT := .venv/workspaces/default-37a8.jupyterlab-workspace
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate $(UPGRADE)
# Empty, or one line that says why this Python will not do.
unfit = $(shell ($(1) $(ENVIRONMENT) --python-only) 2>&1; true)
# uv where it is installed; with `UV=` in the command, or without uv, pip.
PIP = $(if $(and $(UV),$(shell $(UV) --version 2>/dev/null)),$(UV) pip install --python $(BIN)/python,\
  $(BIN)/python -m pip install --disable-pip-version-check)

define install
@echo "Installing the packages of $< into .venv: seconds with uv, one to three minutes with pip. Only this once."
@$(PIP) -r $< || { echo "Not everything could be installed: the lines above say why. Put that right (often the internet is" \
  "out of reach) and give the same command again: it goes on from here. UV= in the command takes pip, not uv." >&2; exit 1; }
@touch $@
endef

.DELETE_ON_ERROR:
.PHONY: help lab test lint format render browser bench soak sheet lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

lab: .venv/installed $(LAYOUT)  ## open the guide in JupyterLab
	@$(BIN)/python $(ENVIRONMENT)
	@echo "JupyterLab opens in your browser, in some seconds. To end it, press Ctrl+C here."
	@JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter" JUPYTERLAB_WORKSPACES_DIR="$(CURDIR)/$(dir $(LAYOUT))" \
	  $(BIN)/python -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) \
	  --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

test: .venv/installed  ## run every notebook and every test
	$(BIN)/python -m pytest

lint: .venv/installed-lint  ## check style, spelling and stored outputs, notebooks included
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/python tests/tools/render.py --check

format: .venv/installed-lint  ## put code and notebooks in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

render: .venv/installed  ## execute the notebooks that changed and store their outputs
	$(BIN)/python tests/tools/render.py

browser: .venv/installed-browser  ## run every notebook in a real JupyterLab; pictures in build/browser
	$(BIN)/python -m pytest -o addopts= -o python_files='*.py' tests/browser

bench: .venv/installed-benchmarks  ## measure the code beside its peers: a table, and a picture in build (EFFORT=quick)
	$(BIN)/python tests/benchmarks --effort $(or $(EFFORT),usual)

soak: .venv/installed  ## run what only repeats or loads, weekly: every chapter busy, hurried, ten times at once, each cell twice
	$(BIN)/python -m pytest -o addopts= -o python_files='*.py' tests/soak
	$(BIN)/python -m pytest -n 0 -m soak tests

sheet: .venv/installed-browser  ## print the cheat sheet, the patterns of notebook 8 on one page: build/sheet.html, build/sheet.pdf
	@$(BIN)/python docs/sheet.py

lock:  ## write the lock files anew from pyproject.toml (UPGRADE=--upgrade for newer versions); needs uv
	$(COMPILE) pyproject.toml --output-file requirements.txt
	$(COMPILE) --constraints requirements.txt --group lint --output-file tests/lint/requirements.txt
	$(COMPILE) --constraints requirements.txt --group browser --output-file tests/browser/requirements.txt
	$(COMPILE) --constraints requirements.txt --group benchmarks --output-file tests/benchmarks/requirements.txt
	$(COMPILE) --constraints requirements.txt --group classroom --output-file tests/classroom/requirements.txt
	$(COMPILE) --constraints requirements.txt --group binder --output-file tests/binder/requirements.txt
	$(COMPILE) --constraints requirements.txt --group audit --output-file tests/audit/requirements.txt

$(BIN)/python:
	$(if $(call unfit,$(PYTHON)),$(error $(call unfit,$(PYTHON))))
	$(PYTHON) -m venv --clear .venv

.venv/installed: requirements.txt $(BIN)/python
	$(if $(call unfit,$(BIN)/python),$(error $(call unfit,$(BIN)/python)))
	$(install)

.venv/installed-%: tests/%/requirements.txt .venv/installed
	$(install)

# What a learner opens and moves is kept here, and never in the committed file.
$(LAYOUT): | .venv/installed
	@mkdir -p $(@D)
	@cp .jupyter/lab/workspaces/$(@F) $@
