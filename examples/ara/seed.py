"""What is in the database before the rollout starts: two finished playbooks, one of them with a result of three
megabytes (a `find` over a large tree looks like that). Run by `launch.py manage prepare`."""

from __future__ import annotations

import datetime
import hashlib
import json
import uuid
import zlib
from typing import Any

import django

django.setup()

from ara.api import models  # noqa: E402  (Django must be set up first)

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
TASKS = 25


def compressed(value: Any) -> bytes:
    return zlib.compress(json.dumps(value).encode())


def uuid_of(text: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, text)


def found_files(count: int) -> dict[str, Any]:
    paths = (f"/srv/data/{index % 97:02}/{index:05}.bin" for index in range(count))
    files = [
        {"path": path, "checksum": hashlib.sha1(path.encode()).hexdigest(), "size": len(path), "isreg": True}
        for path in paths
    ]
    return {"changed": False, "examined": count, "matched": count, "files": files}


def record_playbook(name: str, start: datetime.datetime, content: dict[str, Any]) -> None:
    def after(seconds: int) -> datetime.datetime:
        return start + datetime.timedelta(seconds=seconds)

    ended = {"status": "completed", "started": start, "ended": after(TASKS + 1)}
    path = f"/srv/{name}.yaml"
    playbook = models.Playbook.objects.create(
        name=name, path=path, ansible_version="2.19.4", arguments=compressed({"verbosity": 0}), user="deploy", **ended
    )
    text = f"- hosts: all\n  roles: [{name}]\n".encode()
    body = models.FileContent.objects.create(sha1=hashlib.sha1(text).hexdigest(), contents=zlib.compress(text))
    file = models.File.objects.create(path=path, content=body, playbook=playbook)
    host = models.Host.objects.create(
        name=f"{name}01", facts=compressed({"ansible_os_family": "Debian"}), ok=TASKS, playbook=playbook
    )
    models.LatestHost.objects.create(name=host.name, host=host)
    play = models.Play.objects.create(name=name, uuid=uuid_of(name), playbook=playbook, **ended)
    for line in range(TASKS):
        done = {"started": after(line), "ended": after(line + 1)}
        task = models.Task.objects.create(
            name=f"{name} {line}", uuid=uuid_of(f"{name}/{line}"), action="find", lineno=line + 1, handler=False,
            tags=compressed(["always"]), status="completed", play=play, file=file, playbook=playbook, **done,
        )  # fmt: skip
        models.Result.objects.create(
            status="ok", content=compressed(content if line == 0 else {"changed": False}),
            host=host, task=task, play=play, playbook=playbook, **done,
        )  # fmt: skip


record_playbook("inventory", NOON, found_files(24_000))
record_playbook("database", NOON + datetime.timedelta(hours=1), found_files(3))
