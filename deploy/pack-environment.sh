#!/bin/sh
# Pack a virtual environment for spark-submit --archives: the locked packages and the platform's wheel, without PySpark,
# which the cluster has. The list of packages is kept beside it as requirements.txt.
#
#   pack-environment.sh PYTHON WHEEL ARCHIVE [CLUSTER_PYTHON]
#
# CLUSTER_PYTHON is the same minor version of Python as PYTHON, where the machines of the cluster have it.
set -eu
unset PYTHONPATH # pip would take what is there for installed
python=$1 wheel=$2 archive=$3
base=$("$python" -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
cluster_python=${4:-$base}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
environment=$folder/environment
requirements=$(dirname "$archive")/requirements.txt
mkdir -p "$(dirname "$archive")"
grep -v -E '^(pyspark|py4j)==' requirements.lock > "$requirements"
if command -v uv >/dev/null 2>&1; then
	uv venv --quiet --python "$base" "$environment"
	uv pip install --quiet --python "$environment/bin/python" --no-deps -r "$requirements" "$wheel"
else
	"$base" -m venv "$environment"
	"$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
		-r "$requirements" "$wheel"
fi

# Where it is unpacked, it is used as environment/bin/python: other scripts would contain the path of this folder.
find "$environment/bin" -mindepth 1 ! -name 'python*' -delete
ln -sf "$cluster_python" "$environment/bin/python"
sed -i.before "s|^home *=.*|home = $(dirname "$cluster_python")|" "$environment/pyvenv.cfg"
rm "$environment/pyvenv.cfg.before"

tar -C "$environment" -cf - . | gzip -1 > "$archive.part"
mv "$archive.part" "$archive"
echo "$archive: $(du -h "$archive" | cut -f 1), for Python $("$base" -c 'import platform; print(platform.python_version())') at $cluster_python"
