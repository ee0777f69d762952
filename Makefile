# Each target sets up what it needs: the folder .venv with the packages of requirements.txt, brought up to
# date when that file is newer. GNU make 3.81 (macOS) is enough. On Windows, README.md has the same commands.
# For a second Python beside the first: make test PYTHON=python3.14 VENV=build/venv-3.14

PYTHON ?= python3
UV ?= uv
N ?= 30
HUB ?= 6
VENV ?= .venv
BIN := $(VENV)/bin
ENVIRONMENT := notebooks/asynclab/environment.py
LAYOUT := $(VENV)/workspaces/default-37a8.jupyterlab-workspace
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate $(UPGRADE)
# Empty, or one line that says why this Python will not do.
unfit = $(shell ($(1) $(ENVIRONMENT) --python-only) 2>&1; true)
# uv where it is installed; with `UV=` in the command, or without uv, pip.
PIP = $(if $(and $(UV),$(shell $(UV) --version 2>/dev/null)),$(UV) pip install --python $(BIN)/python,\
  $(BIN)/python -m pip install --disable-pip-version-check)

define install
@echo "Installing the packages of $< into $(VENV): seconds with uv, one to three minutes with pip. Only this once."
@$(PIP) -r $< || { echo "Not everything could be installed: the lines above say why. Put that right (often the internet is" \
  "out of reach) and give the same command again: it goes on from here. UV= in the command takes pip, not uv." >&2; exit 1; }
@touch $@
endef

.DELETE_ON_ERROR:
.PHONY: help lab test lint format render browser bench soak sheet ready classroom wheelhouse links binder alone audit lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

lab: $(VENV)/installed $(LAYOUT)  ## open the guide in JupyterLab
	@$(BIN)/python $(ENVIRONMENT)
	@echo "JupyterLab opens in your browser, in some seconds. To end it, press Ctrl+C here."
	@JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter" JUPYTERLAB_WORKSPACES_DIR="$(CURDIR)/$(dir $(LAYOUT))" \
	  $(BIN)/python -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) \
	  --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

test: $(VENV)/installed  ## run every notebook and every test
	$(BIN)/python -m pytest

lint: $(VENV)/installed-lint  ## check style, spelling and stored outputs, notebooks included
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/python tests/tools/render.py --check

format: $(VENV)/installed-lint  ## put code and notebooks in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

render: $(VENV)/installed  ## execute the notebooks that changed and store their outputs
	$(BIN)/python tests/tools/render.py

browser: $(VENV)/installed-browser  ## run every notebook in a real JupyterLab; pictures in build/browser
	$(BIN)/python -m pytest -o addopts= -o python_files='*.py' -n 3 --dist load --maxschedchunk 1 tests/browser

bench: $(VENV)/installed-benchmarks  ## measure the code beside its peers: a table, and a picture in build (EFFORT=quick)
	$(BIN)/python tests/benchmarks --effort $(or $(EFFORT),usual)

soak: $(VENV)/installed  ## run what only repeats or loads, weekly: every chapter busy, hurried, ten times at once, each cell twice
	$(BIN)/python -m pytest -o addopts= -o python_files='*.py' tests/soak
	$(BIN)/python -m pytest -n 0 -m soak tests

sheet: $(VENV)/installed-browser  ## print the cheat sheet, the patterns of notebook 8 on one page: build/sheet.html, build/sheet.pdf
	@$(BIN)/python docs/sheet.py

ready: $(VENV)/installed  ## say whether this machine is ready for a class of N, and what to do if not (N=30)
	@$(BIN)/python docs/ready.py --students $(N)

classroom: $(VENV)/installed  ## rehearse a class of N students on this machine: JupyterHub, chapters 1 to 5 (N=30, HUB=6)
	$(BIN)/python tests/classroom --students $(N) --hub $(HUB)

wheelhouse: $(VENV)/installed  ## put the guide and all packages on a stick, for a room without internet: build/wheelhouse
	$(BIN)/python docs/wheelhouse.py $(FOR)

links: $(VENV)/installed  ## write the address of the repository into every badge and link (REPO=owner/name)
	@$(BIN)/python docs/links.py $(REPO)

binder: $(VENV)/installed-binder $(VENV)/installed-browser  ## build, open and run the guide as Binder does, with 2 GB, one processor and no network: build/binder.md
	$(BIN)/python -m pytest -o addopts= -o python_files='*.py' tests/binder

alone: $(VENV)/installed  ## run every quick test where loopback is the only network, and tell what would leave it (Linux)
	$(BIN)/python tests/security/alone.py $(BIN)/python -m pytest

audit: $(VENV)/installed-audit  ## look for published vulnerabilities in what is locked
	$(BIN)/pip-audit --strict --disable-pip --no-deps $(addprefix --requirement ,requirements.txt $(wildcard tests/*/requirements.txt))

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
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/installed: requirements.txt $(BIN)/python
	$(if $(call unfit,$(BIN)/python),$(error $(call unfit,$(BIN)/python)))
	$(install)

$(VENV)/installed-%: tests/%/requirements.txt $(VENV)/installed
	$(install)

# What a learner opens and moves is kept here, and never in the committed file.
$(LAYOUT): | $(VENV)/installed
	@mkdir -p $(@D)
	@cp .jupyter/lab/workspaces/$(@F) $@
