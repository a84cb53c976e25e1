#!/bin/sh
# The test of an MLflow server on PostgreSQL needs its programs: install them where that is allowed; without them that
# test is skipped.
set -u

command -v initdb >/dev/null 2>&1 && exit 0
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && exit 0
root=""
[ "$(id -u)" -eq 0 ] || root="sudo -n"
if command -v apt-get >/dev/null 2>&1 && { [ -z "$root" ] || $root true 2>/dev/null; }; then
    echo "Installing PostgreSQL for a test …"
    $root sh -c "apt-get update && apt-get install -y --no-install-recommends postgresql" >/dev/null 2>&1 && exit 0
fi
echo "No PostgreSQL: the test of an MLflow server on it will be skipped"
