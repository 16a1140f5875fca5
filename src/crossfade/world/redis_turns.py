"""Redis as turns: which commands are one, what it is called, and when it is over; the protocol itself is in `world.resp`."""

from __future__ import annotations

from collections import deque

from crossfade.world.resp import TOUCHING_NOTHING, Command, Commands, Replies, access, text_of
from crossfade.world.spoken import LONGEST_TEXT, Answered, Said, joined, shown

LARGEST_WAITING = 1024 * 1024  # bytes of complete commands that wait for the end of their burst
SHOWN_COMMANDS = 8

_BLOCKING = frozenset(
    ["BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "WAIT", "WAITAOF"]
)
_LISTENING = frozenset(["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"])
_STREAMING = frozenset(["MONITOR", "SYNC", "PSYNC"])


class Redis:
    """One connection to Redis: what is sent together is one turn, which is over when every reply is there. Between MULTI
    and EXEC the server only takes notes, so all of it is the turn of the EXEC, however it was sent."""

    def __init__(self) -> None:
        self._commands = Commands()
        self._replies = Replies()
        self._ready: list[Said] = []
        self._ready_size = 0
        self._awaited: deque[bool] = deque()  # for each reply to come: is it part of the result
        self._results: list[str] = []
        self._error = ""
        self._noted: list[tuple[str, ...]] | None = None  # since MULTI
        self._watched: tuple[str, ...] = ()

    def sent(self, data: bytes) -> list[Said]:
        for command in self._commands.feed(data):
            said = self._said(command)
            self._ready.append(said)
            self._ready_size += len(said.data)
            if said.stop:
                return [*self._given(), Said(self.rest())]
        if self._commands.problem:
            reason = f"not the protocol of Redis ({self._commands.problem}): turns cannot be told apart"
            return [*self._given(), Said(self.rest(), stop=reason)]
        if self._commands.unfinished and self._ready_size < LARGEST_WAITING:
            return []  # more of the same burst is on its way
        return self._given()

    def answered(self, data: bytes) -> tuple[bytes, Answered | None]:
        """Raises NotRedis."""
        for reply in self._replies.feed(data):
            if reply.push or not self._awaited:
                continue
            if self._awaited.popleft():
                self._results.append(f"error {reply.error}" if reply.error else reply.text)
                self._error = self._error or reply.error
        if self._awaited:
            return data, None
        answer = Answered("; ".join(self._results)[:LONGEST_TEXT], self._error)
        self._results, self._error = [], ""
        return data, answer

    def rest(self) -> bytes:
        return b"".join(said.data for said in self._given()) + self._commands.rest()

    def _given(self) -> list[Said]:
        """What is ready as one piece, with what ends the telling apart as a piece of its own behind it."""
        ready, self._ready, self._ready_size = self._ready, [], 0
        last = [ready.pop()] if ready and ready[-1].stop else []
        return [*([_together(ready)] if ready else []), *last]

    def _said(self, command: Command) -> Said:
        if not command.arguments:
            return Said(command.data)
        words = tuple(text_of(word) for word in command.arguments)
        name = words[0].upper()
        if reason := _stops(name, words):
            return Said(command.data, stop=reason)
        if self._noted is None and name == "MULTI":
            self._noted = []
        elif self._noted is not None and name not in ("EXEC", "DISCARD", "RESET", "QUIT", "WATCH"):
            self._noted.append(words)
        elif name == "EXEC":
            return self._executed(command.data)
        elif name in ("DISCARD", "RESET", "UNWATCH"):
            self._noted, self._watched = None, ()
        elif name not in TOUCHING_NOTHING:
            if name == "WATCH":
                self._watched = (*self._watched, *words[1:])
            self._awaited.append(True)
            text, values = _named(words)
            return Said(command.data, text, values, "command", (words,))
        self._awaited.append(False)
        return Said(command.data)

    def _executed(self, data: bytes) -> Said:
        named = [_named(words) for words in self._noted or ()]
        touching = tuple(words for words in self._noted or () if words[0].upper() not in TOUCHING_NOTHING)
        if self._watched:
            touching = (("WATCH", *self._watched), *touching)
        self._noted, self._watched = None, ()
        self._awaited.append(True)
        text = joined(_listed([text for text, _ in named]), "EXEC")
        return Said(
            data, f"MULTI; {text}", tuple(value for _, values in named for value in values), "command", touching
        )


def _together(pieces: list[Said]) -> Said:
    text = ""
    for said in pieces:
        text = joined(text, said.text)
    return Said(
        b"".join(said.data for said in pieces),
        text,
        tuple(value for said in pieces for value in said.values),
        "command",
        tuple(command for said in pieces for command in said.commands),
    )


def _stops(name: str, words: tuple[str, ...]) -> str:
    if name in _LISTENING:
        return f"pub/sub: a connection of {name} is passed through"
    if name in _STREAMING:
        return f"a connection of {name} is passed through"
    if name in _BLOCKING or (name in ("XREAD", "XREADGROUP") and "BLOCK" in (word.upper() for word in words)):
        return f"a connection blocks on {name}: passed through"
    if name == "SENTINEL" or (name == "CLUSTER" and words[1:] and words[1].upper() in ("SLOTS", "SHARDS", "NODES")):
        return f"{name}: the client goes to other servers, past the proxy"
    if name == "CLIENT" and len(words) > 2 and words[1].upper() == "REPLY" and words[2].upper() != "ON":
        return "a connection without replies (CLIENT REPLY): passed through"
    return ""


def _named(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """A command as the text of a turn (its name and keys) and the other arguments."""
    name = words[0].upper()
    touches = access(words)
    keys = touches[0] | touches[1] if touches else frozenset()
    if name in ("MSET", "MSETNX"):
        named, values = words[1::2], words[2::2]
    elif touches is None or name == "SET":
        named, values = words[1:2], words[2:]
    else:
        named = tuple(
            word for number, word in enumerate(words[1:], 1) if word in keys and words.index(word, 1) == number
        )
        values = tuple(word for word in words[1:] if word not in keys)
    text = " ".join((name, *(shown(word.encode(), 80) for word in named[:SHOWN_COMMANDS])))
    if len(named) > SHOWN_COMMANDS:
        text += f" ... {len(named)} keys"
    return text, tuple(shown(value.encode()) for value in values[:20])


def _listed(texts: list[str]) -> str:
    if len(texts) <= SHOWN_COMMANDS:
        return "; ".join(texts)
    return "; ".join(texts[:SHOWN_COMMANDS]) + f"; ... {len(texts)} commands"
