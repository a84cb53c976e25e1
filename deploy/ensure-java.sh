#!/bin/sh
# Spark needs Java 17 or 21: find it, or install a headless one where that is allowed.
set -u

version() {
    "$1" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1
}

for java in "${JAVA_HOME:+$JAVA_HOME/bin/java}" java; do
    if [ -n "$java" ] && command -v "$java" >/dev/null 2>&1; then
        case "$(version "$java")" in 17 | 21) exit 0 ;; esac
    fi
done

root=""
[ "$(id -u)" -eq 0 ] || root="sudo -n"
if command -v apt-get >/dev/null 2>&1; then
    command="apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless || apt-get install -y --no-install-recommends openjdk-21-jre-headless"
    if [ -z "$root" ] || $root true 2>/dev/null; then
        echo "Spark needs Java 17 or 21, and there is none: installing it …"
        $root sh -c "$command" >/dev/null && exit 0
    fi
    echo "Spark needs Java 17 or 21. Install it with: sudo apt-get install openjdk-17-jre-headless" >&2
elif command -v brew >/dev/null 2>&1; then
    echo "Spark needs Java 17 or 21, and there is none: installing it …"
    brew install --quiet openjdk@17 && echo "Now set JAVA_HOME=$(brew --prefix openjdk@17)" && exit 0
    echo "Spark needs Java 17 or 21. Install it with: brew install openjdk@17" >&2
else
    echo "Spark needs Java 17 or 21: install a JRE and set JAVA_HOME to it" >&2
fi
exit 1
