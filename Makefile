# Each target sets itself up: Python 3.11 or later and make are all it takes.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DATA ?= offhook-data
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo up test fuzz lint bench soak docs clean

demo: $(VENV)/installed
	$(BIN)/offhook demo

up: $(VENV)/installed
	$(BIN)/offhook up --data $(DATA)

# A file's tests stay together, to share what takes seconds to start, and in the order of their names:
# by their number of tests, the long soak would come last and alone. Three at a time, however few cores:
# many wait for sound, which has its time; more would disturb those that listen to it.
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed-dev
	$(BIN)/python -m bench $(BENCH)

# FUZZ is how many seconds, and after them, if you like, which targets.
fuzz: $(VENV)/installed-dev
	$(BIN)/python tests/fuzz/fuzz_run.py $(FUZZ)

# Half an hour unless SOAK says how many seconds.
soak: $(VENV)/installed-dev
	$(BIN)/python -m bench.soak --seconds $(or $(SOAK),1800)

docs: $(VENV)/installed-dev
	$(BIN)/python -m docs.build

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Offhook needs Python 3.11 or later. Name one: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[dev]'
	touch $@ $(VENV)/installed
