# Each target sets itself up: Python 3.11 or later and make are all it takes.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DATA ?= offhook-data

.PHONY: demo up test lint bench docs clean

demo: $(VENV)/installed
	$(BIN)/offhook demo

up: $(VENV)/installed
	$(BIN)/offhook up --data $(DATA)

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto $(PYTEST)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed-dev
	$(BIN)/python -m bench $(BENCH)

docs: $(VENV)/installed-dev
	$(BIN)/python -m docs.build

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/installed
