"""The ramp: sides, weights, phases, stages. Words of HOUSE: a stage is one plateau of the ramp."""

from __future__ import annotations

import enum

import msgspec


class Side(enum.StrEnum):
    """Which of the two versions serves a call. A service that is not on the ramp always serves as STABLE."""

    STABLE = "stable"
    CANARY = "canary"

    @property
    def other(self) -> Side:
        return Side.CANARY if self is Side.STABLE else Side.STABLE

    @property
    def letter(self) -> str:
        return "S" if self is Side.STABLE else "C"


class Phase(enum.StrEnum):
    """How far shared data has moved."""

    BEFORE = "before"
    EXPAND = "expand"
    BACKFILL = "backfill"
    CONTRACT = "contract"


class Position(msgspec.Struct, frozen=True):
    """A place in a source file; line and column count from 1, `length` is the number of characters to underline."""

    file: str
    line: int
    column: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Migration(msgspec.Struct, frozen=True):
    """What a stage does to shared data when it is entered: SQL files (paths as written) or one command line."""

    sql: tuple[str, ...] = ()
    run: str | None = None
    database: str | None = None  # which database the SQL is for; None: the only PostgreSQL of the contract
    position: Position | None = None

    @property
    def label(self) -> str:
        return ", ".join(self.sql) if self.sql else (self.run or "")


class Stage(msgspec.Struct, frozen=True):
    """One plateau. `weights` holds the share of calls (0..1) the canary serves for each service on the ramp, already
    inherited from the stage before where the contract names none. The migration runs first, then the weights change."""

    name: str
    weights: dict[str, float]
    phase: Phase
    migration: Migration | None = None
    position: Position | None = None

    @property
    def weight(self) -> float:
        """The largest weight of any service: what is drawn and displayed."""
        return max(self.weights.values(), default=0.0)


class Stickiness(msgspec.Struct, frozen=True):
    """Which calls share one coin: `kind` is none, header or cookie; `name` the header's or cookie's."""

    kind: str = "none"
    name: str = ""
