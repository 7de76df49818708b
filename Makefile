# landcover: make help lists what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
RUN ?= runs/demo
BENCHMARKS := prepare_tile sampling segmentation dense training forests
BIN := $(VENV)/bin
PY := $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check bench docs clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.user: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.user
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@

demo: $(VENV)/.user  ## Make the environment and run the whole job on the embedded scene
	$(PY) scene_prep.py --segment --out $(RUN)
	$(PY) -m baselines.random_forest $(RUN)
	$(PY) -m baselines.mlp $(RUN) --no-segments
	$(PY) -m baselines.mlp $(RUN)
	$(PY) patches.py $(RUN)
	$(PY) test_patches.py $(RUN)
	$(PY) -m baselines.compare_reports $(RUN)
	@echo "The report: $(abspath $(RUN))/comparison.html"

test: $(VENV)/.dev  ## Install what the tests need and run them
	$(PY) -m pytest --numprocesses 2

test-slow: $(VENV)/.dev  ## Run the tests that take over half a minute
	$(PY) -m pytest -m slow

check: $(VENV)/.dev  ## Lint, format, types and doctests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PY) -m pytest --doctest-modules landcover --quiet

bench: $(VENV)/.dev  ## Measure speed and memory against named alternatives, in short
	@for name in $(BENCHMARKS); do echo "== $$name"; $(PY) -m benchmarks.$$name || exit 1; done
	@if nvidia-smi -L > /dev/null 2>&1; then echo "== gpu"; $(PY) -m benchmarks.gpu; fi

docs: $(VENV)/.dev  ## Build the documentation into site/
	$(BIN)/mkdocs build --strict --quiet

clean:  ## Remove the environment, runs and built files
	rm -rf $(VENV) runs data/demo site build *.egg-info
