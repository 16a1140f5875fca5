"""One run: plan, start the world, search, judge, replay, report."""

from crossfade.session.options import Options
from crossfade.session.running import run_contract

__all__ = ["Options", "run_contract"]
