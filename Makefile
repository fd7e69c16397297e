# What a developer can do. `make` alone lists it.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Tests start hundreds of processes: without kept bytecode each of them compiles every module.
unexport PYTHONDONTWRITEBYTECODE
DEMO ?= demo
WORKERS ?= 3
# One worker runs the tests of one module, so that it starts what they share only once.
PYTEST = -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder
FAST = tests/api tests/cli/test_options.py tests/cli/test_startup.py tests/decode/test_json.py \
	tests/ledger/test_golden.py tests/postgres/test_roles.py tests/query tests/store/test_making.py \
	tests/store/test_migrations.py -k 'not postgresql'
PYTHONS = $(shell sed -n 's/.*Programming Language :: Python :: \(3\.[0-9]*\)".*/python\1/p' pyproject.toml)

define fast_tests
	$(BIN)/uv venv --quiet --clear --python $(2) $(1)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(1)/bin/python $(3) --editable '.[test]'
	$(1)/bin/python -m pytest $(FAST)
endef

.DEFAULT_GOAL := help
.PHONY: help demo test test-lake check compiled pytest lowest pythons fast-tests $(PYTHONS) faults bench bbolt docs lookalikes format clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(VENV)/user: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check 'uv>=0.8'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev]'
	@touch $@

$(VENV)/bench: $(VENV)/dev
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev,bench]'
	@touch $@

demo: $(VENV)/user ## Set up, ingest examples/ into a fresh store and trace a job
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	@DEMO=$(DEMO) PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

# Two at a time: one fills the cores while the other waits.
TWO = @$(MAKE) --no-print-directory --jobs=2 $(if $(filter output-sync,$(.FEATURES)),--output-sync)

test: $(VENV)/dev ## Everything that the gate runs: check, pytest, lowest
	$(TWO) check compiled
	$(TWO) pytest lowest

check: $(VENV)/dev ## Lint, types, layers, docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate --quiet meta_audit

compiled: $(VENV)/dev # or else every worker compiles every module
	@$(BIN)/python -m pytest --collect-only --quiet > /dev/null || true

pytest: $(VENV)/dev ## All tests
	$(BIN)/python $(PYTEST)

lowest: $(VENV)/dev ## Fast tests with the lowest versions of dependencies that we declare
	$(call fast_tests,$(VENV)-lowest,$(BIN)/python,--resolution lowest-direct)

pythons: $(PYTHONS) ## Fast tests on every Python that we declare and that is installed

$(PYTHONS): $(VENV)/dev
	@for found in $@ $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$(@:python%=%).*/bin/$@; do \
	  if $$found -c '' 2> /dev/null; then \
	    exec $(MAKE) --no-print-directory fast-tests ENVIRONMENT=$(VENV)-$@ INTERPRETER=$$found; \
	  fi; \
	done; \
	echo "$@ is not installed: skipped"

fast-tests: $(VENV)/dev
	$(call fast_tests,$(ENVIRONMENT),$(INTERPRETER))

JARS = $(VENV)-spark/jars

test-lake: $(VENV)/dev ## Lakes and segments with Apache Spark (needs Java 17 and Maven; JOBS=100000)
	@if ! command -v java > /dev/null || ! command -v mvn > /dev/null; then \
	  echo "no java or no mvn here: the lake is not tested with Spark"; exit 0; fi; \
	test -d $(VENV)-spark || $(BIN)/uv venv --quiet --python $(BIN)/python $(VENV)-spark || exit 1; \
	$(BIN)/uv pip install --quiet --python $(VENV)-spark/bin/python 'pyspark==4.0.1' --editable '.[lake]' || exit 1; \
	for jar in org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.10.0 org.xerial:sqlite-jdbc:3.46.1.3; do \
	  mvn -q -B -Dstyle.color=never dependency:copy -Dartifact=$$jar -DoutputDirectory=$(abspath $(JARS)) || exit 1; done; \
	META_AUDIT_TEST_SPARK_PYTHON=$(abspath $(VENV)-spark/bin/python) \
	META_AUDIT_TEST_SPARK_JARS=$$(ls $(abspath $(JARS))/*.jar | paste -sd,) \
	META_AUDIT_TEST_SPARK_JOBS=$(or $(JOBS),10000) \
	  $(BIN)/python -m pytest --quiet --durations=5 tests/lake/test_spark.py tests/lake/test_spark_segments.py

faults: $(VENV)/dev ## Long fault runs: kills (KILLS=200), system calls, disks, memory, tampering (MUTATIONS=2000), examples
	$(BIN)/python -m tests.faults.kill --kills $(or $(KILLS),200)
	$(BIN)/python -m tests.faults.syscalls --every $(or $(EVERY),1)
	$(BIN)/python -m tests.faults.full_disk
	$(BIN)/python -m tests.pull.changes --changes $(or $(CHANGES),10000) --kills $(or $(PULL_KILLS),100)
	$(BIN)/python -m tests.faults.memory --megabytes $(or $(MEGABYTES),300)
	$(BIN)/python -m tests.verify.tamper --mutations $(or $(MUTATIONS),2000)
	$(BIN)/python -m tests.verify.tamper --mutations $(or $(MUTATIONS),500) --engine postgresql
	$(BIN)/python -m tests.verify.schema_tampering --lies $(or $(LIES),500)
	$(BIN)/python -m tests.verify.schema_tampering --lies $(or $(LIES),500) --engine postgresql
	$(BIN)/python -m tests.lake.faults --kills $(or $(KILLS),200) --mutations $(or $(MUTATIONS),500) \
	  --harms $(or $(HARMS),200)
	$(BIN)/python -m tests.verify.wrong_values --values $(or $(VALUES),500)
	$(BIN)/python -m tests.verify.wrong_values --values $(or $(VALUES),500) --engine postgresql
	$(BIN)/python -m tests.verify.harmless
	$(BIN)/python -m tests.verify.harmless --engine postgresql
	$(BIN)/python -m tests.postgres.faults --kills $(or $(KILLS),200)
	$(BIN)/python -m tests.postgres.importers
	$(BIN)/python -m tests.faults.fuzz_sources --seconds $(or $(SECONDS),600)
	$(BIN)/python $(PYTEST) -m hypothesis --hypothesis-profile=long

bench: $(VENV)/bench ## Benchmarks against peers (see bench/README.md)
	$(BIN)/python -m bench.run --count $(or $(COUNT),100000) --rounds $(or $(ROUNDS),3)

bbolt: $(VENV)/dev ## Compare our reader of BoltDB with bbolt itself, which Go builds (TREES=200)
	$(BIN)/python -m tests.sources.bbolt_trees $(or $(TREES),200)

docs: $(VENV)/dev ## Write the generated parts of docs/ and README.md anew
	$(BIN)/python -m tests.docs.generate

lookalikes: $(VENV)/dev ## Write the table of look-alike letters anew (FROM=Unicode's confusables.txt)
	$(BIN)/python -m tests.identity.make_confusables $(FROM)

format: $(VENV)/dev ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove what was built
	rm -rf $(VENV) $(VENV)-* $(DEMO) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
