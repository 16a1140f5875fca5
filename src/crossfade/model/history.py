"""What was seen: requests, answers, the calls of one run, and what a run changed in the stores."""

from __future__ import annotations

from typing import Any

import msgspec

from crossfade.model.ramp import Side


class Request(msgspec.Struct, frozen=True):
    """A request ready to send. `target` is path and query; header names as they go on the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Response(msgspec.Struct, frozen=True):
    """An answer. Header names are lower case, repeated headers stay separate."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Failure(msgspec.Struct, frozen=True):
    """No answer came. `kind` is refused, reset, timeout or malformed; `died` tells that the process was gone."""

    kind: str
    detail: str = ""
    died: bool = False


class RowChange(msgspec.Struct, frozen=True):
    """One row's net change in a PostgreSQL table. `before`/`after` are the row as JSON text (column -> value), None
    where the row did not exist. `key` is the row's identity as JSON text: its primary key, else the whole row.
    `at` is the moment of the last statement that touched it (seconds since the epoch, the database's clock)."""

    database: str
    table: str  # "schema.table"
    key: str
    before: str | None
    after: str | None
    at: float = 0.0


class KeyChange(msgspec.Struct, frozen=True):
    """One Redis key's change against the base. `before`/`after` are DUMP payloads, None where the key did not exist;
    `content` is a readable canonical text of the new value (for state keys); `ttl` in milliseconds, -1 none."""

    database: str
    key: str
    before: bytes | None
    after: bytes | None
    content: str = ""
    ttl: int = -1


class Delta(msgspec.Struct, frozen=True):
    """All that a run changed in the stores since the checkpoint, in a stable order. `complete` is false where
    something was done that the undo log cannot see (TRUNCATE, DDL): then the state is not known exactly."""

    rows: tuple[RowChange, ...] = ()
    keys: tuple[KeyChange, ...] = ()
    complete: bool = True

    @property
    def empty(self) -> bool:
        return not self.rows and not self.keys


class LoggedChange(msgspec.Struct, frozen=True):
    """One entry of the undo log, in order: what one statement did to one row (see RowChange for the fields)."""

    database: str
    table: str
    key: str
    before: str | None
    after: str | None
    at: float


class Placed(msgspec.Struct, frozen=True):
    """Where one call happens: `point` counts the migrations (and other changes of shared data) already done."""

    point: int
    side: Side


Word = tuple[Placed, ...]


class Exchange(msgspec.Struct, frozen=True):
    """One call as made. `request` is None for a blocked call (an earlier step it needs failed); otherwise exactly one
    of `response` and `failure` is set. `ended` is seconds since the epoch; `asked` how many times it was sent."""

    step: int
    placed: Placed
    request: Request | None
    response: Response | None = None
    failure: Failure | None = None
    asked: int = 1
    ended: float = 0.0
    seconds: float = 0.0


class Run(msgspec.Struct, frozen=True):
    """One pass of a scenario: the calls in order, and the variables that were saved on the way."""

    scenario: int
    word: Word
    exchanges: tuple[Exchange, ...]
    saved: dict[str, Any] = {}
