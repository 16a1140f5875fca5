"""How a connection that is lost shows in the PostgreSQL driver, whatever it was just doing."""

from __future__ import annotations

import asyncpg

LOST: tuple[type[BaseException], ...] = (
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # between two of the driver's states
    OSError,
    TimeoutError,
)
