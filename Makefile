# Every target sets up what it needs: .venv from the hash-locked list, then the servers from Python wheels.
# Override the interpreter with `make PYTHON=/path/to/python3.12 …`, the test processes with `make test WORKERS=4`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

SUITABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
# An interpreter in a shared library whose functions anything may replace costs a mail a sixth more: the last choice.
QUICK := import sys, sysconfig; sys.exit("libpython" in open("/proc/self/maps").read() \
	and "-fno-semantic-interposition" not in sysconfig.get_config_var("PY_CORE_CFLAGS"))
PYTHON ?= $(shell for also in '$(QUICK)' pass; do \
	for each in python3.12 python3.11 python3 python3.13 /usr/bin/python3.12 /usr/bin/python3.11; do \
	"$$each" -c '$(SUITABLE)' >/dev/null 2>&1 && "$$each" -c "$$also" >/dev/null 2>&1 && \
	{ command -v "$$each"; break 2; }; done; done)
WORKERS ?= auto
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The stamp's name holds the checksum of what is installed: a changed list is installed again, a touched one is not.
INSTALLED := .venv/.installed-$(shell cat requirements.lock pyproject.toml | cksum | tr ' ' '-')

.PHONY: help demo up test lint chaos bench bench-analytics setup clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED)  ## the main job from end to end with real servers and a provider sandbox; results in var/demo.json
	@exec $(BIN)/mingus demo

up: $(INSTALLED)  ## everything running until Ctrl-C; addresses in var/stack.json
	@exec $(BIN)/mingus up

test: $(INSTALLED)  ## the whole test suite against real PostgreSQL and Redis
	@$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal -q

lint: $(INSTALLED)  ## style, types, import floors, the compose file
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

chaos: $(INSTALLED)  ## the fault suite: processes killed, servers restarted, providers failing, under load
	@$(BIN)/python -m benchmarks.chaos

bench: $(INSTALLED)  ## throughput and latency of the delivery pipeline
	@$(BIN)/python -m benchmarks.delivery

bench-analytics: $(INSTALLED)  ## the analytics flows on large histories
	@$(BIN)/python -m benchmarks.analytics

setup: $(INSTALLED)  ## only the installation into .venv

clean:  ## removes .venv, all local state under var/ and the tools' caches
	@if [ -S "$$(readlink -f var/supervisor.sock 2>/dev/null)" ]; then $(BIN)/mingus down; fi
	rm -rf .venv var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(INSTALLED):
	@[ -n "$(PYTHON)" ] || { echo "No suitable Python found: 3.11 or 3.12 with venv is needed" \
		"(Debian and Ubuntu: apt install python3-venv). Name one with: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c '$(SUITABLE)' || { echo "$(PYTHON) is not suitable:" \
		"Python 3.11 or later with venv and ensurepip is needed." >&2; exit 1; }
	@[ -x $(BIN)/python ] || { echo "Making .venv with $(PYTHON)"; "$(PYTHON)" -m venv .venv; }
	@echo "Installing requirements.lock (hashes are checked)"
	@$(BIN)/python -m pip install --quiet --no-input --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-input --no-deps --no-build-isolation -e .
	@rm -f .venv/.installed-* && touch $@
