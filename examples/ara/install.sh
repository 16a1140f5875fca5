#!/bin/sh
# Installs the two versions of ARA side by side: venv/1.7.3 and venv/1.7.5, next to this script.
# Uses uv where there is one, else `python3 -m venv`. PYTHON names another interpreter (3.10 or newer).
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}

# `ara[postgresql]` is psycopg2, which is compiled here; without a compiler and libpq the same driver comes prebuilt.
if command -v pg_config >/dev/null && command -v cc >/dev/null; then
  extras="server,postgresql" driver=""
else
  extras="server" driver="psycopg2-binary"
fi

for version in 1.7.3 1.7.5; do
  folder=venv/$version
  # ARA 1.7 uses a module that left django-health-check in 3.19; gunicorn is the server its manual recommends.
  set -- "ara[$extras]==$version" "django-health-check<3.19" "gunicorn" $driver
  if command -v uv >/dev/null; then
    uv venv --quiet --clear --python "$python" "$folder"
    uv pip install --quiet --python "$folder/bin/python" "$@"
  else
    "$python" -m venv --clear "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
  fi
  echo "$folder: ARA $("$folder/bin/python" -c 'from importlib.metadata import version; print(version("ara"))')"
done
