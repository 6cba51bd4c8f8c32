# One target for each daily task. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PARTS := shared services/auth services/resource services/notification services/provider-sync gateway deploy/stack deploy/sandbox
EDITABLE := $(foreach part,$(PARTS),-e $(part))
PYPROJECTS := pyproject.toml $(foreach part,$(PARTS),$(part)/pyproject.toml)
S ?= resource

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[36m%-20s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/ready: requirements/dev.txt $(PYPROJECTS)
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed: apt-get install python3 python3-venv"; exit 1; }
	@echo "── Python environment ($$($(PYTHON) --version))"
	@$(PYTHON) -m venv .venv 2>/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; $(PYTHON) -m venv .venv; } || { echo "$(PYTHON) can't make a virtual environment; what it said is above. On Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements/dev.txt
	@$(BIN)/uv pip install --quiet --no-deps $(EDITABLE)
	@touch .venv/ready

setup: .venv/ready ## Install everything that is missing
	@$(BIN)/grove stack setup

demo: setup ## Start the suite and watch it do its job
	@$(BIN)/grove stack demo

up: setup ## Start the suite; SCALE=resource-api=2,notification-worker=3 runs copies
	@$(BIN)/grove stack up $(if $(SCALE),--scale $(SCALE))

down: ## Stop the suite; data stays
	@test ! -x $(BIN)/grove || $(BIN)/grove stack down

status: setup ## Show what runs
	@$(BIN)/grove stack status

logs: setup ## Show the end of the logs; P=resource-api for one process
	@$(BIN)/grove stack logs $(P)

run: up ## The same as up

dev: setup ## Start the suite and restart a service's processes when its code changes
	@$(BIN)/grove stack dev

seed: up ## Fill the running suite with a demo user, tasks and a connection
	@$(BIN)/grove stack demo

reset: setup ## Stop the suite and remove its data
	@$(BIN)/grove stack reset

clean: ## Stop the suite and remove everything that was made
	@test ! -x $(BIN)/grove || $(BIN)/grove stack clean
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage*

migrate-create: setup ## A new migration of a service from its models: S=resource M="what changes"
	@$(BIN)/grove stack migration $(S) create "$(M)"

migrate-up: setup ## Bring a service's database to the newest revision: S=resource
	@$(BIN)/grove stack migration $(S) up

migrate-down: setup ## Take back a service's newest revision: S=resource
	@$(BIN)/grove stack migration $(S) down

migrate-history: setup ## List a service's revisions: S=resource
	@$(BIN)/grove stack migration $(S) history

migrate-current: setup ## Show a service's present revision: S=resource
	@$(BIN)/grove stack migration $(S) current

lint: setup ## Everything that is checked without running the suite
	@scripts/lint

format: setup ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

test: setup ## All tests: unit, integration on real servers, journeys through a whole suite
	@$(BIN)/python -m grove_stack.testing.run

test-unit: setup ## Tests that need no server
	@$(BIN)/python -m grove_stack.testing.run --unit

test-integration: setup ## Unit and integration tests
	@$(BIN)/python -m grove_stack.testing.run --integration

test-e2e: setup ## The journeys
	@$(BIN)/python -m grove_stack.testing.run --journeys

coverage: setup ## Unit and integration tests, with the branch coverage of each distribution: 85 % at least
	@$(BIN)/python -m grove_stack.testing.run --coverage

soak: setup ## The fault journeys with more rounds
	@GROVE_ROUNDS=5 PYTEST_TIMEOUT=1800 $(BIN)/python -m grove_stack.testing.run --journeys

bench: setup ## Measure, and write docs/benchmarks.md; P=live measures one part anew
	@$(BIN)/python -m grove_stack.bench $(P)

docs: setup ## Generate what is generated: settings reference, .env.example, event snapshot, GraphQL schema
	@$(BIN)/grove config docs
	@$(BIN)/grove events snapshot
	@$(BIN)/grove graphql schema

lock: .venv/ready ## Resolve dependencies anew, with hashes
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-package grove-shared --custom-compile-command 'make lock' --annotation-style line $(foreach part,$(PARTS),$(part)/pyproject.toml) --all-extras --group pyproject.toml:dev -o requirements/dev.txt
	@for part in $(PARTS); do name=$${part##*/}; test $$name = shared || $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-package grove-shared --custom-compile-command 'make lock' --annotation-style line -c requirements/dev.txt $$part/pyproject.toml -o requirements/$$name.txt; done
	@grep '^uv==' requirements/dev.txt | sed 's/ .*//' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' --annotation-style line - -o requirements/uv.txt

.PHONY: help setup demo up down status logs run dev seed reset clean migrate-create migrate-up migrate-down migrate-history migrate-current lint format test test-unit test-integration test-e2e coverage soak bench docs lock
