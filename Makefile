# Muster's everyday commands. "make help" lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
# Test workers; the suite is written for two.
WORKERS ?= 2
# More arguments for pytest, for example: make test-fast ARGS="-k mapping"
ARGS ?=

.PHONY: help setup setup-runtime demo test test-fast soak lint format types imports check check-promises \
	pictures screenshots bench coverage audit lock wheel clean

help: ## List the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv ready for development and tests (skipped when nothing changed)
	@scripts/setup.sh dev

setup-runtime:
	@scripts/setup.sh runtime

demo: setup-runtime ## Try it: a simulated fleet becomes clients, mappings and assets
	@$(VENV)/bin/muster demo --once

test: setup check check-promises ## Everything that must hold: checks, then all tests on both databases
	@$(PY) -m pytest -n $(WORKERS) $(ARGS)

test-fast: setup ## The tests that take seconds, without PostgreSQL
	@$(PY) -m pytest -n $(WORKERS) -m "not soak and not slow and not postgres" $(ARGS)

soak: setup ## Long runs that look for leaks and races
	@$(PY) -m pytest -m soak $(ARGS)

lint: setup ## Style and format
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

format: setup ## Put style and format right, as far as a program can
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

types: setup ## Types, strictly
	@$(VENV)/bin/mypy

imports: setup ## The floors of the house: who may import whom
	@$(VENV)/bin/lint-imports --no-logo

check: lint types imports ## Style, types and imports

check-promises: setup ## Every finished promise has a living test
	@$(PY) scripts/check_promises.py

pictures: setup ## Make the pictures of the documentation
	@$(PY) scripts/make_pictures.py
	@$(PY) -m scripts.make_screenshots --guide

screenshots: setup ## Take pictures of every page, light and dark, desktop and phone, into build/
	@$(PY) -m scripts.make_screenshots $(ARGS)

bench: setup ## Measure performance and write docs/performance.md
	@$(PY) -m benchmarks $(ARGS)

coverage: setup ## Report which lines no test runs (a report, not a gate)
	@$(PY) -m pytest -n $(WORKERS) --cov=muster --cov-branch --cov-report=term-missing:skip-covered $(ARGS)

audit: setup ## Report known weaknesses in the pinned packages (a report, not a gate)
	-@$(VENV)/bin/pip-audit --disable-pip --require-hashes --requirement requirements/dev.txt

lock: ## Make requirements/*.txt again from pyproject.toml; ARGS=--upgrade takes newer versions
	@scripts/lock.sh $(ARGS)

wheel: setup ## Build the wheel into dist/
	@$(PY) -m build --wheel --no-isolation

clean: ## Remove everything that was made here, .venv too
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
		.coverage .coverage.* htmlcov dist build
	@find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
