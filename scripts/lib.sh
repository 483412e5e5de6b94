# shellcheck shell=bash
# Sourced by the other scripts: stands in the repository, finds or installs what they need.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
export HOME="${HOME:-$(cd ~ 2>/dev/null && pwd || echo /)}"

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$(basename "$0"): $*"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# need_rust: cargo works and is new enough.
need_rust() {
    # rustup puts it there; a shell that was open before does not know yet.
    have cargo || PATH="$HOME/.cargo/bin:$PATH"
    have cargo || die "there is no cargo: install Rust with rustup (https://rustup.rs), then run this again"
    if ! cargo --version >/dev/null 2>&1; then
        # rustup looks for its toolchains in HOME, which under sudo or in a container is another
        # than the one it was installed for.
        local owner
        owner=$(cd "$(dirname "$(command -v cargo)")/../.." && pwd)
        [ ! -d "$owner/.rustup" ] || export RUSTUP_HOME="$owner/.rustup"
    fi
    cargo --version >/dev/null || die "cargo does not run: \`rustup default stable\` gives it a toolchain"

    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] ||
        die "this is Rust $found, at least $wanted is needed: \`rustup update stable\`"
    need cc build-essential gcc build-base gcc
}

# have_component NAME PROGRAM: a part of the toolchain that a minimal one lacks is there, or can be added.
have_component() {
    "$2" --version >/dev/null 2>&1 ||
        { have rustup && rustup component add "$1" >&2 && "$2" --version >/dev/null 2>&1; }
}

# need PROGRAM APT DNF APK BREW: the program is there, or its package is installed.
need() {
    have "$1" || install_package "$2" "$3" "$4" "$5"
    have "$1" || die "$1 is missing and could not be installed: install it, then run this again"
}

# need_venv: Python can make virtual environments; some systems leave that to a package of its own.
need_venv() {
    need python3 python3 python3 python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || install_package python3-venv python3 python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null ||
        die "python3 has no venv and it could not be installed: install python3-venv, then run this again"
}

# need_postgres: the programs of a PostgreSQL server are there. The tests start one of their own.
need_postgres() {
    have_postgres || install_postgres
    have_postgres || die "PostgreSQL is missing and could not be installed: install it, then run this again"
}

have_postgres() { have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

install_postgres() {
    local conf=/etc/postgresql-common/createcluster.conf
    ! have apt-get || install_package postgresql-common - - -
    if [ -e "$conf" ]; then
        # Else the package starts a server that nobody asked for. What was set is set again afterwards.
        as_root cp -p "$conf" "$conf.before-tests" || true
        as_root sed -i 's/^#*\(create_main_cluster\) .*$/\1 = false/' "$conf" || true
    fi
    install_package postgresql postgresql-server postgresql postgresql
    [ ! -e "$conf.before-tests" ] || as_root mv "$conf.before-tests" "$conf"
}

# install_package APT DNF APK BREW: as the system's package manager calls it.
install_package() {
    say "installing $1 with the system's package manager"
    if have apt-get; then
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >&2
    elif have dnf; then
        as_root dnf install -y -q "$2" >&2
    elif have apk; then
        as_root apk add --quiet "$3" >&2
    elif have brew; then
        brew install --quiet "$4" >&2
    fi || true
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif ! have sudo; then
        die "\`$*\` needs root, and there is no sudo: run that as root, then run this again"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        # Nobody is there to type a password.
        sudo -n "$@"
    fi
}
