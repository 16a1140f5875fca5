"""Runs one installed version of ARA against the database in DATABASE_URL, with the Python of its venv:

    venv/1.7.3/bin/python launch.py serve 8000                            the server
    venv/1.7.3/bin/python launch.py manage migrate                        any command of ara-manage
    venv/1.7.3/bin/python launch.py manage --database postgresql://... prepare

`prepare` is ours: the schema of that version, the user the scenarios log in as, and what `seed.py` puts there.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from urllib.parse import parse_qs, unquote, urlsplit

FOLDER = pathlib.Path(__file__).resolve().parent
BINARIES = pathlib.Path(sys.executable).parent
GUNICORN = [
    *["gunicorn", "--workers=1", "--threads=4", "--keep-alive=60", "--graceful-timeout=1"],
    "--no-control-socket",  # it is one file per user, and two instances run at the same time
]


def main() -> None:
    command, *arguments = sys.argv[1:]
    if arguments[:1] == ["--database"]:
        os.environ["DATABASE_URL"] = arguments[1]
        arguments = arguments[2:]
    os.environ.update(environment(os.environ["DATABASE_URL"]))
    if command == "serve":
        execute([*GUNICORN, f"--bind=127.0.0.1:{arguments[0]}", "ara.server.wsgi"])
    elif arguments == ["prepare"]:
        prepare()
    else:
        execute(["ara-manage", *arguments])


def environment(url: str) -> dict[str, str]:
    """What ARA reads: its settings file, and the parts of the database's address one by one."""
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", [""])[0]
    database = {
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(host),
        "PORT": str(parts.port or ""),
    }
    return {
        "ARA_SETTINGS": str(FOLDER / "settings.yaml"),
        "ARA_BASE_DIR": str(FOLDER / "data"),
        "DJANGO_SETTINGS_MODULE": "fast_passwords",
        "PYTHONPATH": str(FOLDER),
        # `@str` keeps ARA's settings library from reading a name or password of digits as a number
        **{f"ARA_DATABASE_{name}": f"@str {value}" for name, value in database.items()},
    }


def prepare() -> None:
    user = {"USERNAME": "ansible", "PASSWORD": "correct-horse", "EMAIL": "ansible@example.com"}
    os.environ.update({f"DJANGO_SUPERUSER_{name}": value for name, value in user.items()})
    for arguments in (["migrate", "--verbosity=0"], ["createsuperuser", "--noinput"]):
        subprocess.run([BINARIES / "ara-manage", *arguments], check=True)
    execute([sys.executable, str(FOLDER / "seed.py")])


def execute(program: list[str]) -> None:
    os.execv(BINARIES / program[0], program)


if __name__ == "__main__":
    main()
