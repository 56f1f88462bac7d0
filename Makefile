# `make demo` and `make test` set everything up by themselves; second runs start in seconds.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
EXTRAS := local,web,archive,filters,dev,docs

LOCK   := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
          --no-header --no-annotate --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test soak fuzz lint types imports schemas check docs bench train lock clean

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "spectraq needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV): PyTorch is about 2.5 GB to fetch, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

setup: $(VENV)/.installed ## make the virtual environment

demo: $(VENV)/.installed ## real Kafka, Redis and a worker on simulated spectra; FILES="..." for yours, ONCE=1 to end by itself
	@$(BIN)/spectraq demo $(if $(ONCE),--once) $(FILES)

# Two processes, each with a Kafka and networks of its own: a test with a broker waits for half of its time. The second
# begins in the middle, so that numbers are compared while faults are waited for.
test: $(VENV)/.installed ## every test, in two processes; ARGS=-n0 for one
	@$(BIN)/python -m pytest -n 2 --dist worksteal --durations 25 --durations-min 10 $(ARGS)

soak: $(VENV)/.installed ## long faults and times, on a machine with nothing else to do
	@$(BIN)/python -m pytest -m soak -s $(ARGS)

fuzz: $(VENV)/.installed ## a coverage-guided fuzzer on messages, files, settings and record batches; TIME=600 seconds each, SEED=1 for the same way each time; Linux only
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	@printf '%s\n' messages files settings batches | xargs -P 2 -I {} $(BIN)/python tests/fuzz/fuzz.py {} --seconds $(or $(TIME),60) --seed $(or $(SEED),0)

lint: $(VENV)/.installed ## ruff, and oxlint and oxfmt for the page's JavaScript; formatting included
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/oxlint --quiet workers/web/static
	@$(BIN)/oxfmt --check workers/web/static

types: $(VENV)/.installed ## mypy --strict
	@$(BIN)/mypy

imports: $(VENV)/.installed ## who may import whom
	@$(BIN)/lint-imports

schemas: $(VENV)/.installed ## the contract still reads by every released version
	@$(BIN)/python -c 'from spectraq.schemas.compatibility import main; raise SystemExit(main())'

check: lint types imports schemas ## all four

docs: $(VENV)/.installed ## the documentation site in build/site; a broken link or anchor is an error
	@$(BIN)/python docs/site/pages.py
	@$(BIN)/zensical build --strict --clean

bench: $(VENV)/.installed ## what everything costs, as ratios within one run beside those of the last release
	@$(BIN)/python benchmarks/ratios.py $(ARGS)

lock: $(VENV)/.installed ## hashes of all that the image installs, made again after a change of constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[lock]'
	@$(LOCK) --output-file deploy/locks/image.txt --extra web --extra archive --extra filters pyproject.toml
	@printf '%s\n' hatchling | $(LOCK) --output-file deploy/locks/build.txt -

train: $(VENV)/.installed ## mocks, eigenspectra, networks, calibration: DATA=folder OUT=folder
	@$(BIN)/spectraq train --data $(DATA) --out $(OUT)

clean: ## the virtual environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
