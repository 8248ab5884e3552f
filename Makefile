# One environment, two lists: requirements.txt runs the product, requirements-dev.txt adds what tests it.
# `make run` installs the first; a target that tests or checks installs the second over it.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
UV := $(or $(shell command -v uv),.tools/bin/uv)
PORT ?= 8501
# TFF has one wheel, for Linux x86-64 with glibc 2.31 or newer: the lists are compiled for that.
COMPILE = $(UV) pip compile -q --generate-hashes --python-version 3.11 \
	--python-platform x86_64-manylinux_2_31 --custom-compile-command "make lock"

# Where Python may not keep its bytecode, each process compiles all of this again: half a second of a start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-fast check verify benchmark lesson words lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

run: $(VENV)/.run ## Set up what is missing and start the dashboard (PORT=8501)
	@$(VENV)/bin/python -m dpcore serve --port $(PORT)

test: $(VENV)/.dev ## Set up what is missing and run every test (installs Chromium where it may)
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "Installing Chromium (once) ..." && \
		apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || \
		echo "Found no Chromium, and may not install it: the tests that need a browser are skipped. Type: \
	sudo apt install chromium"
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/.dev ## The tests that need neither TensorFlow nor a browser
	@$(VENV)/bin/python -m pytest -m "not slow"

check: $(VENV)/.dev ## Lint, say what is not formatted, and check types
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy
	@$(VENV)/bin/biome lint --error-on-warnings

verify: $(VENV)/.run ## Prove on this machine that the fast engine is TFF's algorithm
	@$(VENV)/bin/python -m dpcore verify

benchmark: $(VENV)/.run ## Seconds a round of every engine, against the tutorial's loop and the floor
	@$(VENV)/bin/python -m benchmarks.accounting
	@$(VENV)/bin/python -m benchmarks.rounds --write benchmarks/rounds.json

lesson: $(VENV)/.run ## Train the tutorial's study that the lesson ships, if it is not there yet, and write it down
	@$(VENV)/bin/python -m dpcore study run --seeds 3 --yes
	@$(VENV)/bin/python -m dpcore study export dpcore/lesson/tutorial_study.json.gz

words: $(VENV)/.dev ## Collect the program's words for translation, and compile the catalogues
	@$(VENV)/bin/pybabel -q extract -F babel.cfg -k N_ --no-location --sort-output --omit-header --no-wrap -o dpcore/locale/messages.pot .
	@$(VENV)/bin/pybabel -q update --ignore-obsolete --no-wrap --no-fuzzy-matching --ignore-pot-creation-date -D messages -i dpcore/locale/messages.pot -d dpcore/locale
	@$(VENV)/bin/pybabel -q compile -d dpcore/locale
	@rm dpcore/locale/messages.pot

lock: $(UV) ## Compile both requirement lists from pyproject.toml
	@$(COMPILE) pyproject.toml -o requirements.txt
	@$(COMPILE) --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt

clean: ## Remove the environment and the private tools
	@rm -rf $(VENV) .tools

# `uv pip sync` and not `pip install -r`: the list was resolved with overrides that pip cannot be told.
$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	@# A list that also holds what tests need already holds all of this one.
	@if [ ! -e $(VENV)/.dev ] || [ requirements.txt -nt $(VENV)/.dev ]; then \
		echo "Installing the pinned packages (once) ..."; rm -f $(VENV)/.dev; \
		$(UV) pip sync -q --compile-bytecode --require-hashes -p $(VENV) requirements.txt; fi
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing the pinned packages, with those for tests (once) ..."
	@$(UV) pip sync -q --compile-bytecode --require-hashes -p $(VENV) requirements-dev.txt
	@touch $@

$(VENV)/bin/python: | $(UV)
	@$(UV) venv -q -p 3.11 $(VENV) || { echo "Epsilon Lab needs Python 3.11 (TensorFlow Federated has no \
	wheel for another). Install it, or let uv bring one: $(UV) python install 3.11"; exit 1; }

# No uv on this machine: a private one, made by whatever Python 3 with venv there is.
.tools/bin/uv:
	@py=$$(command -v $(PYTHON) || command -v python3) || { echo "Found no Python. Install Python 3.11 \
	with its venv module (Debian: apt install python3.11-venv)."; exit 1; }; \
	$$py -m venv .tools && .tools/bin/pip install -q --disable-pip-version-check uv
