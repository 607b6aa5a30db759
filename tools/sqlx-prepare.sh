#!/usr/bin/env bash
# Writes .sqlx, what the checked SQL macros know about each query, from a private PostgreSQL with
# all migrations applied. With --check it changes nothing and fails when .sqlx is out of date.
#
# The migrations are applied as SQL files, and not by `ledger migrate`: that would have to be built
# with the new queries first, whose descriptions are what we are about to make.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

check=no
case "${1-}" in
"") ;;
--check) check=yes ;;
*)
    echo "usage: tools/sqlx-prepare.sh [--check]" >&2
    exit 2
    ;;
esac

# A target folder of its own: the macros run only in packages that are compiled, so the workspace's
# are removed first, and that should not cost the next ordinary build anything.
target=$PWD/target/sqlx
fresh=$target/queries
mkdir -p "$target"
rm -rf "$fresh"
mkdir "$fresh"
cargo clean --quiet --workspace --locked --target-dir "$target"

cargo run --quiet --locked -p ledger-cluster --example private_cluster -- --sql migrations -- \
    env SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$fresh" \
    cargo check --workspace --all-targets --locked --target-dir "$target"

if [ "$check" = yes ]; then
    mkdir -p "$target/none"
    committed=.sqlx
    [ -d .sqlx ] || committed=$target/none
    if ! diff -r "$committed" "$fresh" >&2; then
        echo "sqlx-prepare: .sqlx is out of date; run tools/sqlx-prepare.sh and commit the result" >&2
        exit 1
    fi
    exit 0
fi

mkdir -p .sqlx
# Also drops the files of queries that are gone.
rm -f .sqlx/query-*.json
find "$fresh" -name 'query-*.json' -exec cp {} .sqlx/ \;
rmdir .sqlx 2>/dev/null || true
echo "sqlx-prepare: $(find "$fresh" -name 'query-*.json' | wc -l) queries"
