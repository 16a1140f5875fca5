"""What the kernel is told about our connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket

_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only; holds until the kernel thinks otherwise


def acknowledge_at_once(transport: asyncio.Transport) -> None:
    """What comes next is acknowledged without delay. Who writes head and body of a message apart (as Python's
    http.server and http.client do) keeps the body back until the head is acknowledged, which else takes 40 ms."""
    if _QUICK_ACK is not None and (connection := transport.get_extra_info("socket")) is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
