"""An AsyncAPI document as values: the messages of its channels."""

from __future__ import annotations

from typing import Any

import msgspec


class ChannelMessage(msgspec.Struct, frozen=True):
    """A message that can stand in a channel. `channel` is the address with parameters as `{}`; `name` what tells the
    messages of one channel apart. `payload` and `headers` are schemas, None: not described; `payload_pointer` leads
    to the schema in the document. `format` is the schemaFormat ("" JSON Schema)."""

    channel: str
    name: str
    payload: Any = None
    payload_pointer: str = ""
    headers: Any = None
    headers_pointer: str = ""
    content_type: str = ""
    format: str = ""
    directions: tuple[str, ...] = ()  # send, receive: what the described application does


class EventsDocument(msgspec.Struct, frozen=True):
    """`root` is the whole document, for references. `notes` tell what could not be followed."""

    file: str
    root: dict[str, Any]
    messages: tuple[ChannelMessage, ...]
    channels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
