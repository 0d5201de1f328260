#!/usr/bin/env bash
# Installs what the tests need and runs all of them: units, vectors, simulations, real processes,
# and the demonstration. Ends at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

# The golden vectors must come out of their makers as they lie here; needs Python's `cryptography`.
vectors() {
    if ! python3 -c 'import cryptography' 2>/dev/null; then
        echo 'skipped: python3 has no package cryptography'
        return 0
    fi
    local fresh status=0
    fresh=$(mktemp -d)
    cp tests/vectors/make.py tests/vectors/make_protocol.py tests/vectors/make_register.py tests/vectors/make_receipts.py "$fresh"
    (cd "$fresh" && python3 make.py && python3 make_protocol.py && python3 make_register.py && python3 make_receipts.py)
    for file in tests/vectors/*.json; do
        cmp "$file" "$fresh/$(basename "$file")" || status=1
    done
    rm -rf "$fresh"
    return "$status"
}

nextest() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --workspace --features hutong-protocol/test-support
    else
        cargo install --locked cargo-nextest
        cargo nextest run --locked --workspace --features hutong-protocol/test-support
    fi
}

step vectors
step cargo build --locked -p hutong-node
step nextest
# The scenario files run among the tests. Here: random ones, and whether the checkers catch planted bugs.
step cargo build --locked --release -p hutong-simulations
for nodes in 10 12 17; do
    step target/release/hutong-simulations swarm --seeds 1000 --nodes "$nodes"
done
step target/release/hutong-simulations swarm --seeds 200 --nodes 50
step target/release/hutong-simulations mutants
step target/release/hutong-simulations model
step cargo run --locked --release -- demo --once

printf '\nall checks hold\n'
