"""What one turn of a schedule touches, and which turns of two actors do not commute.

After MVCC: writers and lockers of a relation meet at once; a plain read meets a foreign transaction only where that
*publishes* its writes, at its COMMIT. Advisory locks and sequences are relations of their own. What is not known meets
everything of the same store.
"""

from __future__ import annotations

import msgspec


class Access(msgspec.Struct, frozen=True):
    """Names of what a turn touches ("db:public.accounts", "cache:stock:7", "db:advisory 42"). `publishes`: what becomes
    visible to others, or free for them, with this turn. `unknown`: it may touch anything in `store`."""

    store: str
    reads: frozenset[str] = frozenset()
    locks: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    publishes: frozenset[str] = frozenset()
    unknown: bool = False

    @property
    def touches_nothing(self) -> bool:
        return not (self.reads or self.locks or self.writes or self.publishes or self.unknown)


def conflict(one: Access, other: Access) -> bool:
    """Whether it can matter which of two turns of different actors goes first."""
    if one.store != other.store or one.touches_nothing or other.touches_nothing:
        return False
    if one.unknown or other.unknown:
        return True
    mine, theirs = one.writes | one.locks, other.writes | other.locks
    if mine & theirs:
        return True
    return bool(one.publishes & (other.reads | theirs) or other.publishes & (one.reads | mine))
