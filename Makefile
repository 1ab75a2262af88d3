# `make demo` and `make test` need nothing but Python 3.10 or newer, and pip's index.
#
#   PYTHON=python3.12       the interpreter the environment is made with
#   VENV=.venv              where the environment is made
#   TORCH_INDEX=URL         a further index to take torch from. On Linux without an NVIDIA GPU, PyTorch's own index
#                           of CPU builds saves several gigabytes.
#   WORKERS=2               test processes

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
TORCH_INDEX ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
# One thread a process: several processes with torch's own number of threads each would get in each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

.PHONY: help install demo test lint test-slow bench docs clean

help:
	@echo "make demo        run the first program: specs/quickstart.steer"
	@echo "make test        lint, types, tests"
	@echo "make test-slow   the tests that take long"
	@echo "make bench       the benchmarks"
	@echo "make docs        the site of the documentation, in site/"
	@echo "make clean       remove the environment and what tools leave behind"

install: $(STAMP)

# Made anew only when what is installed changes.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "steerlang needs Python 3.10 or newer, this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (torch is large: the first time takes minutes)"
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/steerlang run specs/quickstart.steer

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(PYTEST) -m "not slow"

test-slow: $(STAMP)
	$(PYTEST) -m slow

bench: $(STAMP)
	$(BIN)/python benchmarks/run_all.py

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
