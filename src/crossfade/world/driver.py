"""The HTTP/1.1 client that makes the calls: our own writer, httptools (llhttp) as parser of the answers.

What is sent is exactly what the step says plus the few headers HTTP needs: no redirects, no cookies, no retries. A
kept connection that the server had closed meanwhile is opened again once, when not a byte of an answer had come.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import zlib
from urllib.parse import quote, urlsplit

import httptools

from crossfade import __version__
from crossfade.errors import EnvironmentFailed
from crossfade.model.history import Failure, Request, Response
from crossfade.world.sockets import acknowledge_at_once

LARGEST_ANSWER = 256 * 1024 * 1024  # bytes, before and after decompression
_OUR_FAULT = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Client:
    """Calls to one address ("http://127.0.0.1:8000/base"). A connection is opened on demand and kept; calls made at
    the same time get one each."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"`{base_url}` is no http or https address")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self._base = parts.path.rstrip("/")
        self._authority = parts.netloc.rpartition("@")[2]
        self._idle: list[_Connection] = []

    async def send(self, request: Request, timeout: float) -> Response | Failure:
        """One call. `timeout` in seconds covers connecting, sending and the whole answer. Raises EnvironmentFailed
        where it is this machine that has no connection left to give."""
        data = self._encoded(request)
        without_body = request.method == "HEAD"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                answer = await self._exchange(connection, data, without_body, deadline, timeout)
                if not connection.closed_unanswered:
                    return answer
                again = await self._fresh(data, without_body, deadline, timeout)
                if isinstance(again, Failure) and again.kind == "refused":
                    return Failure("reset", "the connection was closed without an answer, and no new one is accepted")
                return again
        return await self._fresh(data, without_body, deadline, timeout)

    async def close(self) -> None:
        """Closes the idle connections; the client may be used again."""
        while self._idle:
            self._idle.pop().close()

    async def _fresh(self, data: bytes, without_body: bool, deadline: float, timeout: float) -> Response | Failure:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                _, connection = await loop.create_connection(
                    _Connection, self._host, self._port, ssl=self._ssl, happy_eyeballs_delay=None
                )
        except TimeoutError:
            return Failure("timeout", f"no connection within {timeout:g} s")
        except ssl.SSLError as problem:
            return Failure("refused", f"TLS: {problem.reason or problem}")
        except OSError as problem:
            if problem.errno in _OUR_FAULT:
                raise EnvironmentFailed(
                    f"no connection can be opened: {_reason(problem)}", hint="raise the limit of open files (ulimit -n)"
                ) from None
            return Failure("refused", _reason(problem))
        return await self._exchange(connection, data, without_body, deadline, timeout)

    async def _exchange(
        self, connection: _Connection, data: bytes, without_body: bool, deadline: float, timeout: float
    ) -> Response | Failure:
        try:
            answer = await connection.exchange(data, without_body, deadline, timeout)
        except asyncio.CancelledError:
            connection.close()
            raise
        if connection.open:
            self._idle.append(connection)
        return answer

    def _encoded(self, request: Request) -> bytes:
        target = request.target
        if not target.isascii() or not target.isprintable() or " " in target:
            target = quote(target, safe=_PRINTABLE)
        lines = [f"{request.method} {self._base}{target} HTTP/1.1"]
        given = set()
        for name, value in request.headers:
            given.add(name.lower())
            if "\r" in value or "\n" in value:  # a saved value must not become a header of its own
                value = value.replace("\r", " ").replace("\n", " ")
            lines.append(f"{name}: {value}")
        if "host" not in given:
            lines.insert(1, f"Host: {self._authority}")
        if "user-agent" not in given:
            lines.append(_USER_AGENT)
        if "accept" not in given:
            lines.append("Accept: */*")
        if "accept-encoding" not in given:
            lines.append("Accept-Encoding: identity")
        body = request.body
        if (body or request.method in _WITH_LENGTH) and not given & _LENGTH_HEADERS:
            lines.append(f"Content-Length: {len(body)}")
        lines.append("\r\n")
        head = "\r\n".join(lines)
        try:
            return head.encode("latin-1") + body
        except UnicodeEncodeError:
            return head.encode() + body


_USER_AGENT = f"User-Agent: crossfade/{__version__}"
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})
_LENGTH_HEADERS = frozenset({"content-length", "transfer-encoding"})


class _Connection(asyncio.Protocol):
    """One connection and, while a call is under way, the answer as far as it came. The methods named on_* are called
    by the parser."""

    def __init__(self) -> None:
        self.open = False
        self.closed_unanswered = False  # it ended before the first byte of this answer
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Response | Failure] | None = None
        self._received = 0
        self._without_body = False
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._headers_complete = False
        self._until_close = False
        self._body: list[bytes] = []
        self._size = 0
        self._done = False
        self._extra = False
        self._deadline = 0.0
        self._timeout = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def exchange(self, data: bytes, without_body: bool, deadline: float, timeout: float) -> Response | Failure:
        assert self._transport is not None and self._waiter is None
        self._without_body = without_body
        self._received = 0
        self._reset_message()
        waiter: asyncio.Future[Response | Failure] = self._loop.create_future()
        self._waiter = waiter
        self._deadline = deadline
        self._timeout = timeout
        # One timer per connection, set again only when it fires or the new deadline is earlier: a timer per call
        # costs more than the whole parsing of a small answer.
        if self._timer is None or self._timer.when() > deadline:
            self._set_timer(deadline)
        self._transport.write(data)
        acknowledge_at_once(self._transport)
        try:
            return await waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        self.open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    # ── called by the event loop ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.open = True

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        try:
            self._parser.feed_data(data)
            if self._extra:
                self.close()
        except httptools.HttpParserUpgrade:
            self._finish(keep=False)
        except httptools.HttpParserError as problem:
            self._fail("malformed", f"{problem} after {self._received} bytes")
        if self._received > LARGEST_ANSWER:
            self._fail("malformed", f"the answer is larger than {LARGEST_ANSWER // 1024 // 1024} MB")
        if not self._done and self._transport is not None and not self._transport.is_closing():
            acknowledge_at_once(self._transport)

    def eof_received(self) -> bool:
        self.connection_lost(None)  # now, not when all of the request is written: the server may never read it
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.close()
        if self._waiter is None or self._waiter.done():
            return
        if self._headers_complete and self._until_close and error is None:
            self._finish(keep=False)
        elif self._received:
            self._fail("reset", f"the connection was closed within the answer, after {self._received} bytes")
        else:
            self.closed_unanswered = True
            self._fail("reset", _reason(error) if error else "the connection was closed without an answer")

    # ── called by the parser ──

    def on_message_begin(self) -> None:
        if self._done:  # a second answer to one question, or one that nobody asked for
            self._extra = True
        elif self._status:  # an answer after 1xx
            self._reset_message()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._done:
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self._done:
            return
        status = self._status = self._parser.get_status_code()
        if 100 <= status < 200:
            return
        self._headers_complete = True
        self._until_close = not any(name in _LENGTH_HEADERS for name, _ in self._headers)
        if self._without_body or status in (204, 304):
            # The parser does not know what was asked, so it would wait for a body: it is replaced for the next call.
            self._finish(keep=self._parser.should_keep_alive() or self._says_keep())
            self._parser = httptools.HttpResponseParser(self)

    def on_body(self, data: bytes) -> None:
        if self._done:
            return
        self._size += len(data)
        self._body.append(data)

    def on_message_complete(self) -> None:
        if not self._done and self._headers_complete:
            self._finish(keep=self._parser.should_keep_alive())

    # ── one answer ──

    def _reset_message(self) -> None:
        self._status = 0
        self._headers = []
        self._headers_complete = False
        self._until_close = False
        self._body = []
        self._size = 0
        self._done = False
        self._extra = False

    def _says_keep(self) -> bool:
        return not any(name == "connection" and "close" in value.lower() for name, value in self._headers)

    def _finish(self, keep: bool) -> None:
        self._done = True
        if not keep:
            self.close()
        headers = tuple(self._headers)
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        answer: Response | Failure = Response(self._status, headers, body)
        if body:
            coding = next((value for name, value in headers if name == "content-encoding"), "")
            if coding:
                try:
                    answer = Response(self._status, headers, decoded(body, coding))
                except (zlib.error, ValueError) as problem:
                    answer = Failure("malformed", f"content-encoding `{coding}`: {problem}")
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)

    def _fail(self, kind: str, detail: str) -> None:
        self.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Failure(kind, detail))

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._deadline - 0.001:
            self._set_timer(self._deadline)
            return
        came = f"status {self._status} and {self._size} bytes of the body came" if self._status else "nothing came"
        self._fail("timeout", f"no complete answer within {self._timeout:g} s ({came})")


def decoded(body: bytes, coding: str) -> bytes:
    """A body without its content codings; those not known here stay. Raises zlib.error or ValueError.

    >>> decoded(zlib.compress(b"hello"), "deflate")
    b'hello'
    """
    for one in reversed([part.strip().lower() for part in coding.split(",")]):
        if one in ("gzip", "x-gzip"):
            body = _inflated(body, 16 + zlib.MAX_WBITS)
        elif one == "deflate":
            try:
                body = _inflated(body, zlib.MAX_WBITS)
            except zlib.error:
                body = _inflated(body, -zlib.MAX_WBITS)  # many servers leave the zlib envelope out
        elif one not in ("identity", ""):
            return body
    return body


def _inflated(body: bytes, window: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while body:
        machine = zlib.decompressobj(window)
        parts.append(machine.decompress(body, LARGEST_ANSWER + 1 - size))
        size += len(parts[-1])
        if size > LARGEST_ANSWER:
            raise ValueError(f"more than {LARGEST_ANSWER // 1024 // 1024} MB when decompressed")
        if not machine.eof:
            raise ValueError("the compressed body ends too early")
        body = machine.unused_data
    return b"".join(parts)


def _reason(problem: BaseException) -> str:
    if isinstance(problem, ConnectionRefusedError):
        return "connection refused"
    if isinstance(problem, socket.gaierror):
        return f"the host name is not known ({problem.strerror})"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror.lower()
    return str(problem) or type(problem).__name__
