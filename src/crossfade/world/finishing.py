"""Work that a cancellation must not cut in the middle: it is finished first, then the cancellation goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which goes on to its end although this task is being cancelled."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as problem:
            cancelled = problem
        except BaseException:
            break
    if cancelled is not None:
        task.exception()  # told by nobody
        raise cancelled
    return task.result()


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`asyncio.to_thread` that has really ended when it returns. A thread cannot be cancelled: one left behind would go
    on writing the files that its caller, cancelled, is removing."""
    return await finished(asyncio.to_thread(function, *args, **kwargs))
