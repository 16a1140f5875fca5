"""Crossfade: ramp-contract testing. Every intermediate state between two versions, on real services."""

__version__ = "0.1.0"
