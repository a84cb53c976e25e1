#!/bin/sh
# Spark needs Java 17 or 21: find it, or install a headless one where that is allowed.
set -u

version() {
    "$1" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1
}

suitable() {
    # Spark takes JAVA_HOME where it is set, whatever else there is.
    java="${JAVA_HOME:+$JAVA_HOME/bin/}java"
    command -v "$java" >/dev/null 2>&1 || return 1
    case "$(version "$java")" in 17 | 21) return 0 ;; *) return 1 ;; esac
}

suitable && exit 0
if [ -n "${JAVA_HOME:-}" ]; then
    echo "Spark needs Java 17 or 21, and JAVA_HOME is $JAVA_HOME: set it to one of these, or unset it" >&2
    exit 1
fi

root=""
[ "$(id -u)" -eq 0 ] || root="sudo -n"
if command -v apt-get >/dev/null 2>&1; then
    command="apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless || apt-get install -y --no-install-recommends openjdk-21-jre-headless"
    if [ -z "$root" ] || $root true 2>/dev/null; then
        echo "Spark needs Java 17 or 21, and there is none: installing it …"
        $root sh -c "$command" >/dev/null && suitable && exit 0
    fi
    echo "Spark needs Java 17 or 21. Install it with: sudo apt-get install openjdk-17-jre-headless" >&2
elif command -v brew >/dev/null 2>&1; then
    echo "Spark needs Java 17 or 21, and there is none: installing it …"
    brew install --quiet openjdk@17 && echo "For commands outside make: export JAVA_HOME=$(brew --prefix openjdk@17)" && exit 0
    echo "Spark needs Java 17 or 21. Install it with: brew install openjdk@17" >&2
else
    echo "Spark needs Java 17 or 21: install a JRE and set JAVA_HOME to it" >&2
fi
exit 1
