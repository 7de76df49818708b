# landcover: make help lists what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
RUN ?= runs/demo
# benchmarks.service is called by itself: it needs make web, and a minute of the machine for itself
BENCHMARKS := prepare_tile sampling segmentation borders texture components dense training forests
MEASURED := data/bench/now.json
BIN := $(VENV)/bin
PY := $(BIN)/python
WEB := landcover/service/web
VENDOR := landcover/service/static/vendor
PLUGIN := landcover_qgis
LOWEST := .cache/lowest
LOWEST_EXTRAS := service exchange cluster fast noise
LOWEST_TOOLS := pytest hypothesis pyyaml rio-cogeo "pystac[validation]" statsmodels
LOWEST_TESTS := tests/files tests/sources tests/labels tests/samples tests/scene tests/classifiers tests/maps

.DEFAULT_GOAL := help
.PHONY: help demo web test release test-package test-slow test-pages test-lowest test-qgis test-notebooks check bench bench-keep docs plugin clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.user: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[service]"
	@touch $@

$(VENV)/.dev: $(VENV)/.user
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@

# What the page takes from npm, as the lock file pins it; no package may run a script of its own
$(VENDOR)/.made: $(WEB)/package.json $(WEB)/package-lock.json
	@command -v npm > /dev/null || { echo "make web needs npm (Node.js); install it first"; exit 1; }
	cd $(WEB) && npm ci --ignore-scripts --no-audit --no-fund --silent
	@mkdir -p $(VENDOR)
	@cd $(WEB)/node_modules && cp leaflet/dist/leaflet.js leaflet/dist/leaflet.css \
		swagger-ui-dist/swagger-ui-bundle.js swagger-ui-dist/swagger-ui.css ../../static/vendor
	@cp $(WEB)/node_modules/leaflet/LICENSE $(VENDOR)/leaflet.LICENSE
	@cp $(WEB)/node_modules/swagger-ui-dist/LICENSE $(VENDOR)/swagger-ui.LICENSE
	@touch $@

web: $(VENDOR)/.made  ## Fetch the page's JavaScript from npm, for landcover serve

demo: $(VENV)/.user  ## Make the environment and run the whole job on the embedded scene
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory web || true; fi
	$(PY) scene_prep.py --segment --out $(RUN)
	$(PY) -m baselines.random_forest $(RUN)
	$(PY) -m baselines.mlp $(RUN) --no-segments
	$(PY) -m baselines.mlp $(RUN)
	$(PY) patches.py $(RUN)
	$(PY) test_patches.py $(RUN)
	$(PY) -m baselines.compare_reports $(RUN)
	$(BIN)/landcover qgis $(RUN)
	@echo "The report: $(abspath $(RUN))/comparison.html"
	@echo "Everything in QGIS: $(abspath $(RUN))/$(notdir $(abspath $(RUN))).qgs"
	@if [ -e $(VENDOR)/.made ]; then echo "The maps side by side: $(BIN)/landcover serve $(RUN)"; fi

test: $(VENV)/.dev  ## Install what the tests need and run them
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory web || true; fi
	$(PY) -m pytest --numprocesses 2 --dist loadfile --max-worker-restart 0

release: $(VENV)/.dev web  ## Build wheel and sdist into dist/, and check them; install the wheel elsewhere
	rm -rf dist build
	$(PY) -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(PY) -m pytest -m "package and not slow" tests/package

test-package: release  ## The same, and run the demo of the installed wheel
	$(PY) -m pytest -m "package and slow" tests/package

test-slow: $(VENV)/.dev  ## Run the tests that take long
	$(PY) -m pytest -m slow

test-pages: $(VENV)/.dev  ## Run every command of README and docs, on drawn and real files
	$(PY) -m pytest -m slow tests/pages

# Libraries of that age warn of one another, which is nothing to mend here
test-lowest: $(VENV)/.dev  ## Run tests with the lowest versions that pyproject.toml allows
	@mkdir -p $(LOWEST)
	$(BIN)/uv pip compile --quiet --python-version 3.11 --resolution lowest-direct --only-binary :all: \
		$(addprefix --extra ,$(LOWEST_EXTRAS)) --output-file $(LOWEST)/versions.txt pyproject.toml
	$(BIN)/uv venv --quiet --clear --no-python-downloads --python 3.11 $(LOWEST)/env
	$(BIN)/uv pip install --quiet --only-binary :all: --python $(LOWEST)/env/bin/python \
		--requirements $(LOWEST)/versions.txt $(LOWEST_TOOLS)
	PYTHONPATH=. $(LOWEST)/env/bin/python -m pytest -o filterwarnings=default -W ignore $(LOWEST_TESTS)

test-qgis: $(VENV)/.dev  ## Check in QGIS what it shows of a run (Debian: qgis python3-qgis)
	$(PY) -m pytest -m qgis tests/qgis

test-notebooks: $(VENV)/.dev  ## Run the tutorials
	$(PY) -m pytest -m notebooks tests/test_tutorials.py

check: $(VENV)/.dev  ## Lint, format, types and doctests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PY) -m pytest --doctest-modules landcover experiments --quiet

bench: $(VENV)/.dev  ## Measure speed and memory in short, and compare with what is stored
	@rm -f $(MEASURED)
	@for name in $(BENCHMARKS); do \
		echo "== $$name"; $(PY) -m benchmarks.$$name --record $(MEASURED) || exit 1; done
	@if nvidia-smi -L > /dev/null 2>&1; then \
		echo "== gpu"; $(PY) -m benchmarks.gpu --record $(MEASURED); fi
	@$(PY) -m benchmarks.compare $(MEASURED)

bench-keep: $(VENV)/.dev  ## Store what make bench measured, and write docs/performance.md of it
	@$(PY) -m benchmarks.results --keep $(MEASURED)
	@$(PY) -m benchmarks.page

docs: $(VENV)/.dev  ## Build the documentation into site/, with tutorials executed
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory web || true; fi
	$(BIN)/mkdocs build --strict --quiet

plugin:  ## Pack the QGIS plugin, as committed, into build/
	@mkdir -p build
	@version=$$(sed -n 's/^version=//p' $(PLUGIN)/metadata.txt) && \
		git archive --format=zip --output build/$(PLUGIN)-$$version.zip HEAD $(PLUGIN) && \
		echo "build/$(PLUGIN)-$$version.zip"
	@git diff --quiet HEAD -- $(PLUGIN) || echo "note: changes that are not committed are left out"

clean:  ## Remove the environment, runs and built files
	rm -rf $(VENV) runs data/demo site .cache build *.egg-info $(WEB)/node_modules $(VENDOR)
