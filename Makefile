# What a developer can do. `make` alone lists it.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= demo

.DEFAULT_GOAL := help
.PHONY: help demo test check pytest faults bench docs lookalikes format clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(VENV)/user: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(VENV)/bench: $(VENV)/dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	@touch $@

demo: $(VENV)/user ## Set up, ingest examples/ into a fresh store and trace a job
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	@DEMO=$(DEMO) PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: check pytest ## Everything that the gate runs: lint, types, layers, tests

check: $(VENV)/dev ## Lint, types, layers, docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate --quiet meta_audit

pytest: $(VENV)/dev ## Tests alone
	$(BIN)/python -m pytest

faults: $(VENV)/dev ## Long fault runs: kills (KILLS=200), system calls, disks, memory, tampering (MUTATIONS=2000)
	$(BIN)/python -m tests.faults.kill --kills $(or $(KILLS),200)
	$(BIN)/python -m tests.faults.syscalls --every $(or $(EVERY),1)
	$(BIN)/python -m tests.faults.full_disk
	$(BIN)/python -m tests.faults.memory --megabytes $(or $(MEGABYTES),300)
	$(BIN)/python -m tests.verify.tamper --mutations $(or $(MUTATIONS),2000)
	$(BIN)/python -m tests.verify.tamper --mutations $(or $(MUTATIONS),500) --engine postgresql
	$(BIN)/python -m tests.postgres.faults --kills $(or $(KILLS),200)
	$(BIN)/python -m tests.postgres.importers

bench: $(VENV)/bench ## Benchmarks against peers (see bench/README.md)
	$(BIN)/python -m bench.run --count $(or $(COUNT),100000) --rounds $(or $(ROUNDS),3)

docs: $(VENV)/dev ## Write the generated parts of docs/ and README.md anew
	$(BIN)/python -m tests.docs.generate

lookalikes: $(VENV)/dev ## Write the table of look-alike letters anew (FROM=Unicode's confusables.txt)
	$(BIN)/python -m tests.identity.make_confusables $(FROM)

format: $(VENV)/dev ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove what was built
	rm -rf $(VENV) $(DEMO) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
