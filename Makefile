# Everything a contributor runs. `make` alone lists the targets.

.DEFAULT_GOAL := help
SHELL := /bin/bash

# rustup's folder is on PATH only in login shells.
export PATH := $(HOME)/.cargo/bin:$(PATH)

CARGO := cargo
# Arguments of `ledger dev`, as in: make run ARGS="--sample --listen 127.0.0.1:9000"
ARGS ?= --sample

.PHONY: help setup setup-run run test soak bench

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing of what all of these need
	@tools/setup.sh test

# Whoever only wants to see the ledger run needs no root for what its tests are made with.
setup-run:
	@tools/setup.sh run

# The development profile: a first build takes a fraction of an optimised one, its dependencies are
# optimised a little, and the tests use the same artifacts.
run: setup-run ## Start the ledger with its own PostgreSQL and a sample product
	$(CARGO) run --locked -- dev $(ARGS)

# Randomised tests try the same cases at every run, so that a red run is the change's own fault.
# `make soak` and plain `cargo test` try others each time.
test: export PROPTEST_RNG_SEED ?= 20170815
test: setup ## Check format and lints, and run all tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --workspace --locked

soak: setup ## Run the tests optimised, with the long forms of the randomised ones
	LEDGER_SOAK=1 $(CARGO) test --profile soak --workspace --locked --no-fail-fast -- --nocapture

bench: setup ## Measure the figures, each beside its baseline
	$(CARGO) bench --workspace --locked
