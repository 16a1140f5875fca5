"""AsyncAPI 2.x and 3.x to `EventsDocument`: every message of every channel with the place of its schemas.

References inside the document are followed, message traits are merged as the specification says; references to other
files are noted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossfade.errors import ContractError
from crossfade.formats.documents import parsed_document
from crossfade.model.events_api import ChannelMessage, EventsDocument

_JSON_SCHEMA = ("application/schema+json", "application/vnd.aai.asyncapi", "application/schema+yaml")


def read_asyncapi(path: str | Path) -> EventsDocument:
    """Raises ContractError for a file that is missing, broken, or no AsyncAPI document of version 2 or 3."""
    shown = str(path)
    root = parsed_document(Path(path), shown)
    version = str(root.get("asyncapi", "")) if isinstance(root, dict) else ""
    if not re.match(r"[23]\.", version):
        hint = "`asyncapi: 2.x` or `3.x` is expected at its top"
        raise ContractError(f"no AsyncAPI document of version 2 or 3: `{version or shown}`", where=shown, hint=hint)
    reader = _Reader(root)
    messages = tuple(reader.version_3() if version.startswith("3.") else reader.version_2())
    channels = tuple(dict.fromkeys(reader.channels))
    return EventsDocument(shown, root, messages, channels, tuple(dict.fromkeys(reader.notes)))


class _Reader:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self.notes: list[str] = []
        self.channels: list[str] = []

    def version_2(self) -> Iterator[ChannelMessage]:
        default = str(self._root.get("defaultContentType", ""))
        for address, channel, pointer in self._items(self._root.get("channels"), "/channels"):
            self.channels.append(_plain(address))
            for word, direction in (("publish", "receive"), ("subscribe", "send")):
                operation, inside = self._followed(channel.get(word), f"{pointer}/{word}")
                if not isinstance(operation, dict) or "message" not in operation:
                    continue
                message, at = self._followed(operation["message"], f"{inside}/message")
                choices = message.get("oneOf") if isinstance(message, dict) else None
                if isinstance(choices, list):
                    for number, one in enumerate(choices):
                        followed, where = self._followed(one, f"{at}/oneOf/{number}")
                        yield from self._message(address, "", followed, where, default, direction)
                else:
                    yield from self._message(address, "", message, at, default, direction)

    def version_3(self) -> Iterator[ChannelMessage]:
        default = str(self._root.get("defaultContentType", ""))
        actions: dict[str, set[str]] = {}
        for _, operation, _ in self._items(self._root.get("operations"), "/operations"):
            target = operation.get("channel")
            if isinstance(target, dict) and "$ref" in target:
                actions.setdefault(str(target["$ref"]), set()).add(str(operation.get("action", "")))
        for key, channel, pointer in self._items(self._root.get("channels"), "/channels"):
            address = str(channel.get("address") or key)
            self.channels.append(_plain(address))
            named = f"#/channels/{key.replace('~', '~0').replace('/', '~1')}"
            directions = tuple(sorted(actions.get(named, ())))
            for name, message, at in self._items(channel.get("messages"), f"{pointer}/messages"):
                for one in self._message(address, name, message, at, default, ""):
                    yield ChannelMessage(
                        one.channel, one.name, one.payload, one.payload_pointer, one.headers, one.headers_pointer,
                        one.content_type, one.format, directions,
                    )  # fmt: skip

    def _message(
        self, address: str, name: str, message: Any, pointer: str, default: str, direction: str
    ) -> Iterator[ChannelMessage]:
        if not isinstance(message, dict):
            return
        whole = dict(message)
        for trait in message.get("traits") or []:
            followed, _ = self._followed(trait, pointer)
            for key, value in followed.items() if isinstance(followed, dict) else ():
                whole.setdefault(key, value)
        component = pointer.rpartition("/")[2] if pointer.startswith("/components/messages/") else ""
        label = name or str(whole.get("messageId") or whole.get("name") or component or whole.get("title") or "")
        payload, at = whole.get("payload"), f"{pointer}/payload"
        kind = str(whole.get("schemaFormat", ""))
        if (
            isinstance(payload, dict) and "schemaFormat" in payload and "schema" in payload
        ):  # 3.x: a multi-format schema
            kind, payload, at = str(payload["schemaFormat"]), payload["schema"], f"{at}/schema"
        kind = "" if kind.startswith(_JSON_SCHEMA) else kind
        yield ChannelMessage(
            _plain(address),
            label,
            payload,
            at,
            whole.get("headers"),
            f"{pointer}/headers",
            str(whole.get("contentType", default)),
            kind,
            (direction,) if direction else (),
        )

    def _items(self, group: Any, pointer: str) -> Iterator[tuple[str, dict[str, Any], str]]:
        group, pointer = self._followed(group, pointer)
        for key, value in group.items() if isinstance(group, dict) else ():
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            followed, at = self._followed(value, f"{pointer}/{escaped}")
            if isinstance(followed, dict):
                yield str(key), followed, at

    def _followed(self, value: Any, pointer: str) -> tuple[Any, str]:
        """What a reference of the document leads to, and where that is."""
        for _ in range(20):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return value, pointer
            target = value["$ref"]
            if not target.startswith("#/"):
                self.notes.append(f"the reference `{target}` leads to another file")
                return None, pointer
            pointer = target[1:]
            value = self._root
            for part in pointer.split("/")[1:]:
                part = part.replace("~1", "/").replace("~0", "~")
                value = value.get(part) if isinstance(value, dict) else None
            if value is None:
                self.notes.append(f"the reference `{target}` leads nowhere")
        return None, pointer


def _plain(address: str) -> str:
    return re.sub(r"\{[^{}]*\}", "{}", address)
