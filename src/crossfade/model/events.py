"""The one stream everybody listens to: what a run tells while it goes on."""

from __future__ import annotations

import msgspec

from crossfade.model.report import Finding, PlanLine, Report


class PlanMade(msgspec.Struct, frozen=True):
    plan: tuple[PlanLine, ...]


class Started(msgspec.Struct, frozen=True):
    """Something is being done that takes a while ("starting orders 1.2.3")."""

    text: str
    number: str = ""  # the plan line it belongs to


class Progress(msgspec.Struct, frozen=True):
    """How far one piece of work is: `done` of about `total` runs of a scenario."""

    text: str
    done: int
    total: int
    calls: int


class Noted(msgspec.Struct, frozen=True):
    """Something the user should know that is no finding (a restart, a noisy field, a part left out)."""

    text: str


class Suspected(msgspec.Struct, frozen=True):
    """A failure was seen and is about to be replayed from clean state."""

    text: str


class FindingMade(msgspec.Struct, frozen=True):
    finding: Finding


class Finished(msgspec.Struct, frozen=True):
    report: Report


Event = PlanMade | Started | Progress | Noted | Suspected | FindingMade | Finished
