"""Settings of all tests: in CI, properties are tried on the same examples every time."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "here")

REAL = {"session", "world", "zoo"}  # folders of tests with processes, ports and clocks of their own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs on real processes may meet a busy machine: it is run once more, and the last line counts such reruns."""
    for item in items:
        if REAL & set(item.path.parts):
            item.add_marker(pytest.mark.flaky(reruns=1))
