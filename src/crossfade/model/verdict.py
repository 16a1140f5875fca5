"""The word everything ends in."""

from __future__ import annotations

import enum


class Verdict(enum.StrEnum):
    """unknown: too little was looked at, or something could not be decided; never a synonym of safe."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    UNKNOWN = "unknown"
