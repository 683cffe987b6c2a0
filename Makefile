# Wordhoard: `make run` starts the server, `make test` installs what the tests need and runs them all.

CARGO ?= cargo
CYCLES ?= 500
ROUNDS ?= 3

.DEFAULT_GOAL := help

help: ## What there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.PHONY: help run build test check lint deps bench bench-peers soak prices acceptance fuzz deny clean

run: ## Build target/quick/wordhoard and start it with its built-in defaults (ARGS="--listen 127.0.0.1:9000" to change them)
	$(CARGO) run --profile quick --locked -p wordhoard --no-default-features --bin wordhoard -- serve $(ARGS)

build: ## Build the binary to deploy: target/release/wordhoard
	$(CARGO) build --release --locked --bin wordhoard

test: ## Format, lints and all tests; says how many minutes each part takes
	CARGO="$(CARGO)" ./scripts/test.sh

check: lint ## Format and lints only

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

deps: ## What the tests need and the machine may not have
	./scripts/install-test-deps.sh

bench: ## Benchmarks, each beside its baseline in the same run; prints ratios
	$(CARGO) bench --locked -p wordhoard-wal
	$(CARGO) bench --locked -p wordhoard-store --bench apply
	$(CARGO) build --release --locked --workspace --bins
	$(CARGO) bench --locked -p wordhoard

bench-peers: ## Beside other gateways on a quiet machine; writes docs/performance.md (8 minutes a round, ROUNDS=3)
	./scripts/bench-peers.sh $(ROUNDS)

soak: ## The long versions: CYCLES crashes, 100 killed restores, starts on 10 million tokens, an outage of 20 million, a disk that fills ten times, a prune of 10 million, a minute of overload, 500 calls of each kind by a fuzzer, ten minutes of each fuzz target (needs a nightly toolchain), and the property tests with many more cases
	WORDHOARD_CRASH_CYCLES=$(CYCLES) $(CARGO) nextest run --locked -p wordhoard --test it -E 'test(crash::)' --no-capture --profile soak
	WORDHOARD_BOOT_TOKENS=10000000 $(CARGO) nextest run --locked -p wordhoard --test it -E 'test(boot::size::)' --no-capture --profile soak
	WORDHOARD_RESTORE_KILLS=50 $(CARGO) nextest run --locked -p wordhoard --test it -E 'test(backups::kills::)' --no-capture --profile soak
	WORDHOARD_OUTAGE_TOKENS=20000000 $(CARGO) nextest run --locked -p wordhoard --test it -E 'test(long_outage::)' --no-capture --profile soak
	WORDHOARD_CREDENTIAL_REQUESTS=1000 $(CARGO) nextest run --locked -p wordhoard --test it -E 'test(security::own_credential::)' --no-capture --profile soak
	WORDHOARD_FULL_DISK_ROUNDS=10 $(CARGO) nextest run --locked -p wordhoard --test it -E 'test(full_disk::)' --no-capture --profile soak
	WORDHOARD_OVERLOAD_SECONDS=60 $(CARGO) nextest run --locked -p wordhoard --test it -E 'test(provider_faults::overload)' --no-capture --profile soak
	WORDHOARD_FUZZ_EXAMPLES=500 $(CARGO) nextest run --locked -p wordhoard --test it -E 'test(front::fuzz)' --no-capture --profile soak
	WORDHOARD_PRUNE_TOKENS=10000000 $(CARGO) nextest run --locked -p wordhoard --test it -E 'test(pruning::volume::)' --no-capture --profile soak
	./scripts/fuzz.sh 600
	PROPTEST_CASES=20000 $(CARGO) nextest run --locked --workspace -E 'not package(wordhoard)' --profile soak

prices: deps ## How the prices that ship differ from two public tables
	target/test-venv/bin/python scripts/compare_prices.py crates/wordhoard-providers/src/prices.toml

acceptance: ## A real language model on loopback (downloads 221 MB once): streamed, fanned out in three dialects, resumed, killed
	./scripts/install-acceptance-model.sh
	$(CARGO) nextest run --locked -p wordhoard --test it -E 'test(acceptance::)' --run-ignored only --no-capture --profile soak

fuzz: ## Each fuzz target for a minute (needs a nightly toolchain and cargo-fuzz)
	./scripts/fuzz.sh 60

deny: ## Licences, bans and sources of all dependencies (needs cargo-deny; works offline)
	$(CARGO) deny --offline check licenses bans sources

clean:
	$(CARGO) clean
