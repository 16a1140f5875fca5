"""The exceptions of Crossfade. They mean "could not look"; what was seen and is wrong is a Finding, never an exception."""

from __future__ import annotations

EXIT_SAFE = 0
EXIT_UNSAFE = 1
EXIT_USAGE = 2
EXIT_UNKNOWN = 3
EXIT_ENVIRONMENT = 4
EXIT_BUG = 70


class CrossfadeError(Exception):
    """One sentence in lower case with the offending value in backticks, the place, and what to do next.

    `screen` is the text shown to the user when the plain three lines are not enough (a source excerpt with a caret).
    """

    exit_code = EXIT_BUG

    def __init__(self, message: str, *, where: str = "", hint: str = "", screen: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.screen = screen

    def __str__(self) -> str:
        if self.screen:
            return self.screen
        lines = [f"error: {self.message}"]
        if self.where:
            lines.append(f"  --> {self.where}")
        if self.hint:
            lines.append(f"  help: {self.hint}")
        return "\n".join(lines)


class ContractError(CrossfadeError):
    """The contract (or a file it names) cannot be understood."""

    exit_code = EXIT_USAGE


class UsageError(CrossfadeError):
    """A command line that cannot be carried out."""

    exit_code = EXIT_USAGE


class EnvironmentFailed(CrossfadeError):
    """A service, database or migration that must work before anything can be judged did not."""

    exit_code = EXIT_ENVIRONMENT
