#!/bin/sh
# Tests of Dagster and of an MLflow server on PostgreSQL need its programs: install them where that is allowed; without
# them these tests are skipped.
set -u

command -v initdb >/dev/null 2>&1 && exit 0
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && exit 0
root=""
[ "$(id -u)" -eq 0 ] || root="sudo -n"
if command -v apt-get >/dev/null 2>&1 && { [ -z "$root" ] || $root true 2>/dev/null; }; then
    echo "Installing PostgreSQL for tests …"
    $root sh -c "apt-get update && apt-get install -y --no-install-recommends postgresql" >/dev/null 2>&1 && exit 0
fi
echo "No PostgreSQL: the tests of Dagster and MLflow on it will be skipped"
