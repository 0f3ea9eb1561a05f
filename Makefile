# Everything runs in .venv, which the first target that needs it makes. `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
READY := .venv/.ready
STEPS ?= 4000
QUEUED ?= 10000
ITEMS ?= 300

# How many processes share the tests. They mostly wait, so one more than there are cores; each needs about half a
# gigabyte with the servers that it starts. WORKERS=0 runs all in one process, as a bare pytest does.
WORKERS ?= $(shell cores=$$(nproc 2>/dev/null || echo 1); [ $$cores -lt 3 ] && echo $$((cores + 1)) || echo 4)
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

# A checkout that was moved needs its environment made anew: the stamp holds the folder it was made for.
ifneq ($(shell cat $(READY) 2>/dev/null),$(shell pwd -P))
.PHONY: $(READY)
endif

.PHONY: setup fmt check test test-slow test-release test-all demo bench bench-context bench-queue bench-stuck bench-sandbox bench-swarm lock clean help

setup: $(READY) ## make .venv with what requirements.lock names
	@:

$(READY): requirements.lock pyproject.toml .ci/setup
	@.ci/setup

fmt: setup ## format, and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

check: setup ## formatting, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright

test: setup ## the fast tests, everything but those marked slow
	@$(PYTEST) -m "not slow" $(ARGS)

test-slow: setup ## the tests that kill processes or run for some time
	@$(PYTEST) -m "slow and not release" $(ARGS)

test-release: setup ## the tests that take minutes, such as death at every place; before a release
	@$(PYTEST) -m release $(ARGS)

test-all: setup ## all tests
	@$(PYTEST) $(ARGS)

demo: setup ## one session on real code, end to end
	@$(BIN)/longshift demo $(ARGS)

bench: setup ## what a step costs; STEPS=400 for a short run
	@$(BIN)/python -m bench.step_overhead --steps $(STEPS) $(ARGS)

bench-context: setup ## what compactions keep and cost; STEPS=400 for a short run
	@$(BIN)/python -m bench.context --steps $(STEPS) $(ARGS)

bench-queue: setup ## what the queue costs; QUEUED=1000 for a short run
	@$(BIN)/python -m bench.queue --queued $(QUEUED) $(ARGS)

bench-stuck: setup ## how well loops are told from work
	@$(BIN)/python -m bench.stuck $(ARGS)

bench-sandbox: setup ## what the sandbox and the supervisor cost, and the attacks that are stopped
	@$(BIN)/python -m bench.sandbox $(ARGS)

bench-swarm: setup ## what a swarm costs, and how it uses a limited provider; ITEMS=60 for a short run
	@$(BIN)/python -m bench.swarm --items $(ITEMS) $(ARGS)

LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-annotate --quiet

lock: setup ## write the three locks anew from pyproject.toml; ARGS=--upgrade takes newer versions
	@$(LOCK) pyproject.toml --group dev --output-file requirements.lock $(ARGS)
	@$(LOCK) pyproject.toml --constraint requirements.lock --output-file requirements-prod.lock $(ARGS)
	@$(LOCK) --group build --constraint requirements.lock --output-file requirements-build.lock $(ARGS)

clean: ## remove .venv and all caches
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'
