"""The examples in docstrings of the pure floors run as written."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import crossfade.engine
import crossfade.model
import crossfade.world.commands

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (crossfade.engine, crossfade.model)
    for module in pkgutil.iter_modules(package.__path__)
] + ["crossfade.session.telling_races", "crossfade.world.commands"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert 0 == result.failed
