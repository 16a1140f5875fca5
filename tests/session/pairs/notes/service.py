"""A notebook with two versions, and with faults to order: python service.py PORT VERSION.

Notes live in PostgreSQL when DATABASE_URL is set and in memory otherwise. FAULT names what goes wrong:

  lost          1.1.0 writes a column that 1.0.0 does not read
  crash         1.0.0 ends itself when asked for a note that 1.1.0 wrote
  die, stop     the process gets SIGKILL or SIGSTOP with call number FAULT_AT and each later one (all instances count
                together, in the file FAULT_COUNT)
  die-once, stop-once   the same with that one call only
  idle          each call leaves a transaction open on the notes
  refuse        every call is answered 404
  fail          every call is answered 500
  exit          the process ends at once
  silent        it listens and never becomes ready
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

PORT, VERSION = int(sys.argv[1]), sys.argv[2]
FAULT = os.environ.get("FAULT", "")
URL = os.environ.get("DATABASE_URL", "")
DELAY = float(os.environ.get("DELAY", "0"))
CANARY = VERSION != "1.0.0"


class Memory:
    def __init__(self) -> None:
        self.notes: dict[int, dict[str, Any]] = {}

    def add(self, text: str) -> int:
        number = len(self.notes) + 1
        self.notes[number] = {"text": text, "writer": VERSION}
        return number

    def get(self, number: int) -> dict[str, Any] | None:
        return self.notes.get(number)


class Postgres:
    def __init__(self) -> None:
        import asyncpg

        self.loop = asyncio.new_event_loop()
        self.connection = self.loop.run_until_complete(asyncpg.connect(URL))
        self.idle: Any = None
        if FAULT == "idle":
            self.idle = self.loop.run_until_complete(asyncpg.connect(URL))

    def _ask(self, sql: str, *values: Any) -> Any:
        return self.loop.run_until_complete(self.connection.fetchrow(sql, *values))

    def add(self, text: str) -> int:
        column = "body" if FAULT == "lost" and CANARY else "text"
        sql = f"insert into notes ({column}, writer) values ($1, $2) returning id"
        return int(self._ask(sql, text, VERSION)["id"])

    def get(self, number: int) -> dict[str, Any] | None:
        if self.idle is not None and not self.idle.is_in_transaction():
            self.loop.run_until_complete(self.idle.execute("begin; select count(*) from notes"))
        row = self._ask("select text, body, writer from notes where id = $1", number)
        if row is None:
            return None
        text = row["text"] or row["body"] if CANARY else row["text"]
        return {"text": text, "writer": row["writer"]}


def misbehave() -> None:
    """Before each call but the one for readiness."""
    time.sleep(DELAY)
    if "FAULT_COUNT" in os.environ:
        with open(os.environ["FAULT_COUNT"], "ab") as file:
            file.write(b".")
            number = file.tell()
        at = int(os.environ["FAULT_AT"])
        if (FAULT == "die" and number >= at) or (FAULT == "die-once" and number == at):
            os.kill(os.getpid(), signal.SIGKILL)
        if (FAULT == "stop" and number >= at) or (FAULT == "stop-once" and number == at):
            os.kill(os.getpid(), signal.SIGSTOP)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/healthz":
            self.answer(503 if FAULT == "silent" else 200, {"version": VERSION})
            return
        misbehave()
        if self.refused():
            return
        number = int(self.path.rpartition("/")[2])
        note = store.get(number)
        if note is None:
            self.answer(404, {"error": "no such note"})
            return
        if FAULT == "crash" and not CANARY and note["writer"] != VERSION:
            os._exit(7)
        self.answer(200, {"id": number, "text": note["text"]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        misbehave()
        if self.refused():
            return
        number = store.add(body["text"])
        self.answer(201, {"id": number, "text": body["text"]})

    def refused(self) -> bool:
        if FAULT in ("refuse", "fail"):
            self.answer(404 if FAULT == "refuse" else 500, {"error": FAULT})
            return True
        return False

    def answer(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if FAULT == "exit":
    sys.exit("this version does not start")
store: Any = Postgres() if URL else Memory()
HTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
