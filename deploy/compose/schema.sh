#!/bin/sh
# Makes the engine's two databases, or brings their schema up to that of this release. Changes nothing when it is.
set -eu

tool() { temporal-sql-tool --plugin postgres12 --endpoint "$POSTGRES_HOST" --port 5432 --user temporal --database "$@"; }

for pair in temporal:temporal temporal_visibility:visibility; do
    database=${pair%%:*}
    schema=/etc/temporal/schema/postgresql/v12/${pair##*:}/versioned
    # Both say so when they find it done already; only the last may fail.
    tool "$database" create-database || echo "schema: $database is there"
    tool "$database" setup-schema --version 0.0 || echo "schema: $database has a schema"
    tool "$database" update-schema --schema-dir "$schema"
done
