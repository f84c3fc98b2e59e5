# DICOM Node: set-up, demo, tests. Each target installs what it lacks; done once, that costs a second.
# Another torch: make setup TORCH=torch==2.13.0 TORCH_INDEX=<one of PyTorch's indexes>; README.md says more.
# A part of the tests: make test PYTEST_ADDOPTS="-k orthanc".

SHELL := /bin/bash
PYTHON_PACKAGES := dicom_node dicomweb inference anonymizer viewer
CODE := $(PYTHON_PACKAGES) tests scripts benchmarks
BIN := .venv/bin

export PYTHON TORCH TORCH_INDEX

.PHONY: help setup setup-dev setup-bench debian viewer demo serve test lint conformance check bench fuzz soak lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | expand -t 12

setup:  ## install the node into .venv, and the viewer where npm is there
	@scripts/setup.sh

setup-dev:  ## the same with what tests and checks need
	@scripts/setup.sh --dev

setup-bench:  ## the same with what benchmarks compare us with
	@scripts/setup.sh --bench

debian:  ## install what tests need from Debian, where root and apt are there
	@scripts/install-debian-packages.sh

viewer:  ## install OHIF (needs npm)
	@scripts/setup.sh

demo: setup  ## a real head through a real node; Ctrl-C ends it
	@$(BIN)/dicom-node demo

serve: setup  ## run the node with its defaults
	@$(BIN)/dicom-node serve

test: debian setup-dev check  ## all checks and all tests
	@$(BIN)/pytest -n auto --dist loadfile

lint: setup-dev check  ## all checks, no tests

conformance: setup-dev  ## write the tables of the conformance statements anew
	@$(BIN)/pytest tests/conformance/dicomweb/test_statement.py tests/conformance/test_dimse_statement.py --write-conformance -q

check:
	@$(BIN)/ruff format --check --quiet $(CODE)
	@$(BIN)/ruff check --quiet $(CODE)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

bench: debian setup-bench  ## measure, next to Orthanc (where it is installed) and other de-identifiers
	@for program in $(filter-out benchmarks/soak.py,$(wildcard benchmarks/*.py)); do echo "== $$program"; $(BIN)/python "$$program" || exit 1; done

fuzz: setup-dev  ## damage PDU streams and data sets for some minutes; another FUZZ_SEED draws others
	@DICOM_NODE_FUZZ_SCALE=$${FUZZ_SCALE:-40} DICOM_NODE_FUZZ_SEED=$${FUZZ_SEED:-1000000} \
		$(BIN)/pytest tests/property/dimse -o timeout=3600 -q

soak: debian setup-dev  ## send, kill and count; SOAK_MINUTES=30
	@$(BIN)/python benchmarks/soak.py --minutes $${SOAK_MINUTES:-3}

lock: setup-bench  ## write requirements.lock anew from what .venv holds
	@$(BIN)/python scripts/lock.py

clean:  ## remove what set-up and checks made; data/ stays
	@rm -rf .venv .cache .artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
