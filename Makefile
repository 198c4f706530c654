# The two commands to begin with, on a Debian or Ubuntu that has git, make and Python 3.11 or newer:
#
#   make demo    a whole desk in the terminal: no accounts, no configuration
#   make test    the tests, with the servers that they need
#
# All that is made lies in .venv and in caches beside it; `make clean` removes it.

BIN := .venv/bin
# Bytecode lies out of sight: without any, each of the many processes that tests begin would compile all anew.
export PYTHONPYCACHEPREFIX = $(CURDIR)/.venv/pycache
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo 'make demo     show the life of a ticket, step by step'
	@echo 'make test     run all tests (servers that they need are installed through apt, or named)'
	@echo 'make lint     format, style, types and layers; changes nothing'
	@echo 'make check    lint, then test: what a change has to pass'
	@echo 'make bench    measure speed and memory, as ratios'
	@echo 'make deb      build a package for this Debian or Ubuntu'
	@echo 'make format   put the code into shape'
	@echo 'make clean    remove all that was made here'

demo: .venv/.runtime
	$(BIN)/maild demo

test: .venv/.development
	tests/setup.sh servers
	$(BIN)/pytest -n auto --dist worksteal

lint: .venv/.development
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(MAKE) test

bench: .venv/.development
	$(BIN)/python -m tests.benchmarks

deb: .venv/.runtime
	deb/build $(BIN)/python -m pip

format: .venv/.development
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.venv/.runtime: pyproject.toml tests/setup.sh
	tests/setup.sh runtime

.venv/.development: pyproject.toml tests/setup.sh
	tests/setup.sh development

clean:
	rm -rf .venv build dist demo-mails .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	rm -rf ./*.egg-info
	find maild tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help demo test lint check bench deb format clean
