# Conveniences: each is one line that you could type. `just --list` shows them.

# Format all code
fmt:
    cargo fmt --all

# Lint all code, warnings as errors
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Run every test, or those whose name contains the argument
test *args:
    ./scripts/test {{args}}

# Build the library's pages, warnings as errors
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Check licences, sources, duplicates and security advisories of the dependencies
deny:
    cargo deny --locked check

# Everything that must hold before a change lands
ci:
    ./.ci/run

# Long campaigns: power cuts, failing calls, kills, damage, random cases; prints a table
faults cases="20000":
    ./scripts/faults {{cases}}

# Fuzz one of trail, original, detection, config; needs a nightly toolchain and cargo-fuzz
fuzz target *args:
    cargo build --locked -p auto-recovery-cli
    RECOVER="${CARGO_TARGET_DIR:-target}/debug/recover" cargo +nightly fuzz run {{target}} {{args}}

# Measure what matters, each figure beside its rival
bench *args:
    ./benches/run {{args}}

# Build recover and watch it recover two failures
try:
    ./scripts/try
