#!/bin/sh
# Make a virtual environment with the locked packages, but with another version of PySpark.
#
#   spark-environment.sh PYTHON VERSION FOLDER
set -eu
unset PYTHONPATH # pip would take what is there for installed
python=$1 version=$2 folder=$3
installed=$folder/.installed-$version-$(cksum < requirements.lock | cut -d ' ' -f 1)
[ -e "$installed" ] && exit 0
base=$("$python" -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
mkdir -p "$folder"
grep -v '^pyspark==' requirements.lock > "$folder/requirements.txt"
echo "Installing PySpark $version into $folder …"
if command -v uv >/dev/null 2>&1; then
	uv venv --quiet --allow-existing --python "$base" "$folder"
	uv pip install --quiet --python "$folder/bin/python" --no-deps -r "$folder/requirements.txt" "pyspark==$version"
	uv pip install --quiet --python "$folder/bin/python" --no-deps --editable .
else
	"$base" -m venv "$folder"
	"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
		-r "$folder/requirements.txt" "pyspark==$version"
	"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable .
fi
touch "$installed"
