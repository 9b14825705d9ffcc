# Two commands: `make demo` shows the program at work, `make test` runs every test.
# Each sets up all that it needs in .venv first; Python >= 3.11 is all it asks for.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint clean

demo: $(BIN)/rrm-harness
	$(BIN)/rrm-harness demo

test: $(BIN)/rrm-harness
	$(BIN)/pytest

lint: $(BIN)/rrm-harness
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy rrm_harness plugins tasks templates

$(BIN)/rrm-harness: pyproject.toml constraints.txt
	@echo "Setting up .venv, once; it takes a minute or two ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rrm-harness needs Python 3.11 or newer; say which with make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
