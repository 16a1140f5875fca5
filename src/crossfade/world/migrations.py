"""A migration given as a command (`run:`): runs it to its end in the contract's folder copy, with its whole process tree.

`MigrationFailed` is shared with the databases, which raise it for `sql:` files.
"""

from __future__ import annotations


class MigrationFailed(Exception):
    """A migration ran and failed: a result to be judged, not an environment error. `message` is one or more lines."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
