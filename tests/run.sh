#!/bin/sh
# Every check that this project has, in the order of what they cost. Ends at the first that fails.
set -eu
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
    fresh=$(mktemp -d)
    cp tests/vectors/make.py tests/vectors/make_protocol.py "$fresh"
    (cd "$fresh" && python3 make.py && python3 make_protocol.py)
    status=0
    for file in tests/vectors/*.json; do
        cmp "$file" "$fresh/$(basename "$file")" || status=1
    done
    rm -rf "$fresh"
    return "$status"
}

licences() {
    if cargo deny --version >/dev/null 2>&1; then
        cargo deny --locked check bans licenses sources
    else
        echo 'skipped: cargo-deny is not installed'
    fi
}

step vectors
step cargo fmt --all --check
step licences
step cargo clippy --locked --workspace --all-targets -- -D warnings
step cargo test --locked --workspace
step cargo run --locked --release -p hutong-simulations -- run simulations/scenarios/*.toml
if cargo run --locked --release -p hutong-node -- demo --help >/dev/null 2>&1; then
    step cargo run --locked --release -p hutong-node -- demo --once
else
    echo 'skipped: this binary has no demo'
fi

printf '\nall checks hold\n'
