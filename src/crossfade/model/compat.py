"""What `crossfade compat` says: which pairs of versions that meet on the ramp do not understand each other.

Everything that crosses versions has a writer and a reader: a request (consumer to provider), an answer (provider to
consumer), a message, a statement against the schema of a phase. One `Break` is one place where a reader of one side
refuses, or may refuse, what a writer of the other side may send.
"""

from __future__ import annotations

import enum

import msgspec

from crossfade.model.verdict import Verdict


class Contained(enum.StrEnum):
    """Is every value of A a value of B?"""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Containment(msgspec.Struct, frozen=True):
    """`witness` (only with NO) is the JSON text of a value that A accepts and B refuses; `path` is where in that value
    the refusal lies ("items[].price", "" the whole), `keyword` the JSON Schema keyword of B that refuses, `pointers` the
    JSON pointers (into A's and B's document) of the closest pair of schemas that is to blame. `reason` says why: of a NO
    in words, of an UNKNOWN what could not be decided. `open_only`: strictly a NO, but only because A's object is open and
    B gives an undeclared name a type: mostly forgiven."""

    answer: Contained
    witness: str | None = None
    path: str = ""
    keyword: str = ""
    pointers: tuple[str, str] = ("", "")
    reason: str = ""
    open_only: bool = False


class Crossing(enum.StrEnum):
    """What goes from the writer to the reader."""

    REQUEST = "request"  # written by the consumer, read by the provider
    RESPONSE = "response"  # written by the provider, read by the consumer
    MESSAGE = "message"  # an event or an RPC: written by the producer
    STATE = "state"  # a statement of a side against the schema of a phase


class Severity(enum.StrEnum):
    """error: breaks. warning: breaks some readers (strict ones, closed enums), or may. info: good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Place(msgspec.Struct, frozen=True):
    """A place in a document: `file` as the user named it, `line` and `column` from 1 (0: not known), `pointer` the JSON
    pointer ("/paths/~1orders/get") or what the format has in its place ("Order.price")."""

    file: str
    line: int = 0
    column: int = 0
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Break(msgspec.Struct, frozen=True):
    """One incompatibility. `rule` is the catalogue entry; `id` a fingerprint, equal from run to run. `writer` and `reader`
    are sides ("stable", "canary"); `operations` every operation (or message) it reaches, in order: a change in a shared
    component is one break. `path` is the place in the value ("body.items[].price"), `witness` a JSON text the writer may
    send and the reader refuses. `unknown`: it could not be decided, `message` says why. `stages` are the stages of the ramp
    where this pair meets ((): not placed on a ramp); `declared`: `changes` of the contract names it."""

    rule: str
    id: str
    severity: Severity
    crossing: Crossing
    writer: str
    reader: str
    operations: tuple[str, ...]
    path: str
    message: str
    witness: str | None = None
    stable: Place | None = None
    canary: Place | None = None
    unknown: bool = False
    service: str = ""
    stages: tuple[str, ...] = ()
    declared: bool = False
    advice: str = ""


class Meeting(msgspec.Struct, frozen=True):
    """A pair that meets in an epoch: the consumer's side, the provider's side, and the ids of what breaks. `rollback`: on
    the way forward it does not meet there, only once traffic has gone back to the stable."""

    consumer: str
    provider: str
    breaks: tuple[str, ...] = ()
    rollback: bool = False


class EpochPairs(msgspec.Struct, frozen=True):
    """An epoch of the ramp: its stages, its phase, the pairs that meet there (on the way forward and in rollbacks)."""

    stages: tuple[str, ...]
    phase: str
    meetings: tuple[Meeting, ...]


class CompatReport(msgspec.Struct, frozen=True):
    """The result of `crossfade compat`. `verdict`: unsafe (an error that is not declared), unknown (nothing compared, or
    something could not be decided), safe. `compared` says what was looked at, one line each; `not_compared` what was not
    and why. `timeline` is empty where two documents were compared without a ramp. With the recordings of a run:
    `unobserved` is declared and never came, `undeclared` came and is not declared, one line each."""

    format: str
    tool: str
    verdict: Verdict
    reason: str
    documents: tuple[str, ...]
    breaks: tuple[Break, ...]
    timeline: tuple[EpochPairs, ...] = ()
    compared: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    unobserved: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    seconds: float = 0.0
