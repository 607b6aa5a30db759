#!/usr/bin/env bash
# Installs what is missing of what is needed: `tools/setup.sh run` to build and start the ledger,
# `tools/setup.sh test`, or no argument, to run its tests and benches as well. Reads no variables and
# changes nothing on a machine that has it all; then it takes a moment, so `make` calls it each time.
set -euo pipefail

oldest_postgres=15

die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

purpose=${1:-test}
case "$#:$purpose" in
0:test | 1:run | 1:test) ;;
*) die "usage: tools/setup.sh [run|test]" ;;
esac
is_for_tests() { [ "$purpose" = test ]; }

# The major version of the newest installed server, 0 for none. The programs must be in one folder,
# which rules out a client without a server.
postgres_major() {
    local newest=0 candidate folder major
    for candidate in /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres \
        /usr/local/*/bin/postgres /opt/homebrew/opt/postgresql*/bin/postgres \
        "$(command -v postgres || true)"; do
        [ -n "$candidate" ] && [ -x "$candidate" ] || continue
        folder=$(dirname "$(readlink -f "$candidate")")
        [ -x "$folder/initdb" ] && [ -x "$folder/psql" ] && [ -x "$folder/pg_isready" ] || continue
        major=$("$candidate" --version | sed -n 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/p')
        if [ "${major:-0}" -gt "$newest" ]; then newest=$major; fi
    done
    echo "$newest"
}

has_postgres() { [ "$(postgres_major)" -ge "$oldest_postgres" ]; }

# TLS and hashing crates compile C; headers come in a package of their own.
has_c_compiler() {
    local compiler
    compiler=$(command -v cc || command -v gcc || command -v clang) || return 1
    printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' |
        "$compiler" -x c -o /dev/null - 2>/dev/null
}

# The simulator is tested with Stripe's own libraries for Python and Node, the API by Schemathesis.
# Debian's python3 has venv without ensurepip, until python3-venv is installed.
has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }
has_npm() { command -v node >/dev/null && command -v npm >/dev/null; }

# The documented way to ask at a gateway is tested with a real one.
has_nginx() {
    local nginx
    nginx=$(PATH="$PATH:/usr/sbin" command -v nginx) || return 1
    "$nginx" -V 2>&1 | grep -q with-http_auth_request_module
}

# What nodes remember together is tested with a real one; the ledger runs without.
has_redis() { command -v redis-server >/dev/null; }

# Who has none runs this script by its name.
has_make() { command -v make >/dev/null; }

# Runs a command as root, or says which one to run.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    elif command -v sudo >/dev/null && [ -t 0 ]; then
        sudo "$@"
    else
        die "root is needed to install ${missing[*]}; as root, run: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    fi
}

# Debian's package makes a cluster and starts it on port 5432. We never use it, and a server that
# nobody asked for should not appear, so its creation is switched off for this one installation.
no_default_cluster=/etc/postgresql-common/createcluster.d/billing-ledger-setup.conf

# Some packages start a server on its usual port, and at every boot. Where nobody forbids that already,
# we do during this one installation, and take them out of what is started at boot.
no_starts=/usr/sbin/policy-rc.d
unwanted=()
made=()

install_packages() {
    if ! command -v apt-get >/dev/null; then
        local needed="PostgreSQL $oldest_postgres or newer (server and client), a C compiler, make"
        is_for_tests && needed="$needed, Python 3 with venv, Node and npm, nginx with auth_request, Redis"
        die "don't know how to install packages here; install $needed, then run this again"
    fi
    as_root apt-get update
    if [ "${#unwanted[@]}" -gt 0 ] && [ ! -e "$no_starts" ]; then
        made+=("$no_starts")
        trap 'as_root rm -f "${made[@]}"' EXIT
        printf '#!/bin/sh\ncase $1 in %s) exit 101 ;; esac\n' "$(IFS='|' && echo "${unwanted[*]}")" |
            as_root tee "$no_starts" >/dev/null
        as_root chmod 755 "$no_starts"
    fi
    if [ "$wants_postgres" = yes ]; then
        made+=("$no_default_cluster")
        trap 'as_root rm -f "${made[@]}"' EXIT
        as_root mkdir -p "$(dirname "$no_default_cluster")"
        echo 'create_main_cluster = false' | as_root tee "$no_default_cluster" >/dev/null
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
    if command -v update-rc.d >/dev/null; then
        local server
        for server in ${unwanted[@]+"${unwanted[@]}"}; do as_root update-rc.d "$server" disable; done
    fi
    if [ "${#made[@]}" -gt 0 ]; then
        as_root rm -f "${made[@]}"
        trap - EXIT
    fi
}

missing=()
wants_postgres=no
if ! has_postgres; then
    missing+=(postgresql)
    wants_postgres=yes
fi
has_c_compiler || missing+=(gcc libc6-dev)
has_make || missing+=(make)
if is_for_tests; then
    has_venv || missing+=(python3 python3-venv)
    has_npm || missing+=(nodejs npm)
    if ! has_nginx; then
        missing+=(nginx)
        unwanted+=(nginx)
    fi
    if ! has_redis; then
        missing+=(redis-server)
        unwanted+=(redis-server)
    fi
fi
if [ "${#missing[@]}" -gt 0 ]; then
    echo "setup: installing ${missing[*]}"
    install_packages
    has_postgres || die "the PostgreSQL of this distribution is version $(postgres_major), $oldest_postgres or newer is needed; see https://wiki.postgresql.org/wiki/Apt"
    has_c_compiler || die "the C compiler still can't build a program; run: cc -x c - <<<'int main(void){return 0;}'"
    has_make || die "make still isn't found"
    if is_for_tests; then
        has_venv || die "python3 still can't make a venv; run: python3 -c 'import ensurepip, venv'"
        has_npm || die "node or npm still isn't found"
        has_nginx || die "nginx still isn't found, or lacks auth_request"
        has_redis || die "redis-server still isn't found"
    fi
fi

PATH="$PATH:${HOME:-/root}/.cargo/bin"
command -v cargo >/dev/null || die "Rust is missing; install it from https://rustup.rs, then run this again"
is_for_tests || exit 0
for component in fmt:rustfmt clippy:clippy; do
    cargo "${component%%:*}" --version >/dev/null 2>&1 && continue
    command -v rustup >/dev/null ||
        die "cargo ${component%%:*} is missing; install the package '${component##*:}' of your Rust toolchain"
    rustup component add "${component##*:}"
done
