# make run   sets up .venv and opens the debugger on the built-in example
# make test  sets up .venv and runs every test
# make doctor-score  the catalogue's mistakes planted into programs of every style: how many the doctor finds, names and places
# make doctor-names  the examples of the catalogue: which the doctor finds, places and names by itself
# make check formatting, lint, types, layers, tests: what must pass before a commit

VENV := .venv
BIN := $(VENV)/bin
# The first interpreter that is new enough and can make a virtual environment.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PYTEST_OPTIONS ?=
SCORE_OPTIONS ?=
FUZZ_OPTIONS ?=
SOAK_OPTIONS ?=
MUTANTS_OPTIONS ?=
# make pythons: which interpreters, which packages instead of the newest (PACKAGES='numpy==1.26.0 rich==14.2'), and which tests.
OTHER := $(VENV)/other
PYTHONS ?= python3.12 python3.13 python3.14
PACKAGES ?=
PYTHONS_TESTS ?= tests/engine tests/rnn_tui/panes --ignore tests/engine/doctor --ignore tests/engine/codegen
DATA ?=

.PHONY: run test check format lint types layers bench torch doctor-score doctor-names fuzz soak mutants pythons pictures mistakes derive reference site samples clean

run: $(VENV)/.installed
	@$(BIN)/rnn-tui $(DATA)

# Modules stay compiled whatever the shell says: processes that tests start would compile all of them, each time.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations 10 $(PYTEST_OPTIONS)

check: lint types layers test

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/basedpyright

layers: $(VENV)/.installed-dev
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

torch: $(VENV)/.installed-dev
	$(BIN)/python -m pip install torch
	$(BIN)/python -m pytest -q -s tests/engine/with_torch.py

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q tests/engine/debug/test_breakpoints.py -k only_its_own --hypothesis-profile fuzz
	$(BIN)/python -m tests.fuzz $(FUZZ_OPTIONS)

soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak $(SOAK_OPTIONS)

mutants: $(VENV)/.installed-dev
	$(BIN)/python -m tests.equation_mutants $(MUTANTS_OPTIONS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mutants]'
	$(BIN)/mutmut run --max-children 2

pythons:
	@for p in $(PYTHONS); do \
		$$p -m venv --clear $(OTHER) && $(OTHER)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' $(PACKAGES) && \
		$(OTHER)/bin/python --version && $(OTHER)/bin/python -m pytest -q -n 2 $(PYTHONS_TESTS) || exit 1; \
	done

doctor-score: $(VENV)/.installed-dev
	$(BIN)/python -W ignore -m tests.engine.doctor.score $(SCORE_OPTIONS)

doctor-names: $(VENV)/.installed-dev
	$(BIN)/python -W ignore -m tests.engine.doctor.mistakes.names $(NAMES)

pictures: $(VENV)/.installed-dev
	$(BIN)/python docs/make_pictures.py
	$(BIN)/python docs/make_moving.py

mistakes: $(VENV)/.installed
	$(BIN)/python docs/make_mistakes.py

derive: $(VENV)/.installed
	$(BIN)/python docs/make_derive.py

reference: $(VENV)/.installed
	$(BIN)/python -m docs.make_reference
	$(BIN)/python -m docs.make_man

# The documentation as a site, in dist/site.
site: reference
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	$(BIN)/python -m sphinx -q -W --keep-going -b dirhtml docs dist/site

samples: $(BIN)/python
	$(BIN)/python docs/make_samples.py

clean:
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "rnn-tui needs Python 3.11 or newer with venv; none was found (set PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing rnn-tui into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@echo "installing rnn-tui and its test tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed
