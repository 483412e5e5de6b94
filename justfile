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

# Long campaign: every property with many more random cases, a thousand fixers that resist their end
faults cases="20000":
    PROPTEST_CASES={{cases}} cargo test --release --workspace --locked
    cargo bench --locked -p auto-recovery --bench process -- faults 1000

# Measure what matters, each figure beside its rival
bench *args:
    ./benches/run {{args}}

# Build recover and watch it recover two failures
try:
    ./scripts/try
