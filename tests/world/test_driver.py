"""The HTTP client against scripted TCP peers: what goes over the wire, and what becomes of every kind of answer."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
import zlib
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.model.history import Failure, Request, Response
from crossfade.world.driver import LARGEST_ANSWER, Client

GET = Request("GET", "/orders")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server whose n-th connection is handled by the n-th script (the last one also by those that follow)."""

    def __init__(self, *scripts: Talk) -> None:
        self.scripts = scripts
        self.connections = 0
        self.requests: list[bytes] = []

    async def __aenter__(self) -> Peer:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.client = Client(f"http://127.0.0.1:{self.port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        self.server.close()
        await self.server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        try:
            await script(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def heard(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request


def saying(*pieces: bytes, close: bool = True) -> Talk:
    """Reads one request per connection and answers with the pieces, each in a segment of its own."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if not close:
            await reader.read()

    return talk


def answered(*pieces: bytes, request: Request = GET, close: bool = True, timeout: float = 5) -> Response | Failure:
    async def call() -> Response | Failure:
        async with Peer(saying(*pieces, close=close)) as peer:
            return await peer.client.send(request, timeout)

    return asyncio.run(call())


def sent(request: Request, base: str = "") -> bytes:
    """The bytes of the request as they arrive."""

    async def call() -> bytes:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await peer.heard(reader)
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

        async with Peer(talk) as peer:
            client = Client(f"http://127.0.0.1:{peer.port}{base}")
            assert await client.send(request, 5) == Response(204)
            await client.close()
            return peer.requests[0].replace(str(peer.port).encode(), b"PORT")

    return asyncio.run(call())


# ── what is sent ────────────────────────────────────────────────────────────


def test_a_plain_call_carries_the_few_headers_http_needs() -> None:
    assert (
        b"GET /orders HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nUser-Agent: crossfade/0.1.0\r\nAccept: */*\r\n"
        b"Accept-Encoding: identity\r\n\r\n"
    ) == sent(GET)


def test_headers_of_the_step_replace_ours_and_keep_their_order_and_case() -> None:
    headers = (("X-b", "2"), ("ACCEPT", "text/html"), ("x-A", "1"), ("host", "shop"), ("User-Agent", "me"))
    request = Request("GET", "/", (*headers, ("Accept-Encoding", "gzip")))
    assert (
        b"GET / HTTP/1.1\r\nX-b: 2\r\nACCEPT: text/html\r\nx-A: 1\r\nhost: shop\r\nUser-Agent: me\r\n"
        b"Accept-Encoding: gzip\r\n\r\n"
    ) == sent(request)


@pytest.mark.parametrize(
    ("method", "body", "line"),
    [
        ("POST", b"", b"Content-Length: 0\r\n"),
        ("PUT", b"abc", b"Content-Length: 3\r\n"),
        ("DELETE", b"abc", b"Content-Length: 3\r\n"),
        ("DELETE", b"", b""),
        ("GET", b"", b""),
    ],
)
def test_the_length_is_said_where_there_is_a_body_or_could_be_one(method: str, body: bytes, line: bytes) -> None:
    head, _, rest = sent(Request(method, "/", (), body)).partition(b"\r\n\r\n")
    lines = [one + b"\r\n" for one in head.split(b"\r\n") if one.lower().startswith(b"content-length")]
    assert ([line] if line else []) == lines
    assert body == rest


def test_the_base_path_of_the_address_comes_before_every_target() -> None:
    assert sent(Request("GET", "/orders?a=b%20c"), base="/api/v2/").startswith(
        b"GET /api/v2/orders?a=b%20c HTTP/1.1\r\n"
    )


def test_saved_values_cannot_break_out_of_the_target_or_a_header() -> None:
    request = Request("GET", "/orders/a b\r\nX: 1/é?q=100%25", (("X-Name", "Zoë\r\nX-Admin: 1"),))
    raw = sent(request)
    assert raw.startswith(b"GET /orders/a%20b%0D%0AX:%201/%C3%A9?q=100%25 HTTP/1.1\r\n")
    assert b"X-Name: Zo\xeb  X-Admin: 1\r\n" in raw


# ── what comes back ─────────────────────────────────────────────────────────

HEADED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n"
NAMES = (("content-type", "text/plain"), ("set-cookie", "a=1"), ("set-cookie", "b=2"))
LENGTH = (
    HEADED + b"Content-Length: 11\r\n\r\nhello world",
    Response(200, (*NAMES, ("content-length", "11")), b"hello world"),
)
CHUNKED = (
    HEADED + b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    Response(200, (*NAMES, ("transfer-encoding", "chunked")), b"hello world"),
)
CONTINUED = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + LENGTH[0],
    LENGTH[1],
)
EMPTY = (b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", Response(204, (("x", "1"),)))
UNTIL_CLOSE = (HEADED + b"\r\nhello world", Response(200, NAMES, b"hello world"))
OLD = (b"HTTP/1.0 404 Not Found\r\n\r\nnothing", Response(404, (), b"nothing"))


@settings(max_examples=60, deadline=None)
@given(
    case=st.sampled_from([LENGTH, CHUNKED, CONTINUED, EMPTY, UNTIL_CLOSE, OLD]),
    cuts=st.lists(st.integers(1, 400), max_size=12),
)
def test_any_chunking_of_the_bytes_gives_the_same_answer(case: tuple[bytes, Response], cuts: list[int]) -> None:
    data, expected = case
    places = sorted({cut for cut in cuts if cut < len(data)})
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    assert expected == answered(*pieces)


@settings(max_examples=60, deadline=None)
@given(data=st.sampled_from([LENGTH[0], CHUNKED[0], CONTINUED[0]]), share=st.floats(0, 1, exclude_max=True))
def test_an_answer_that_is_cut_off_is_a_reset_wherever_it_is_cut(data: bytes, share: float) -> None:
    answer = answered(data[: int(len(data) * share)])
    assert isinstance(answer, Failure)
    assert "reset" == answer.kind


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
)
def test_an_answer_to_head_ends_with_its_headers(head: bytes) -> None:
    answer = answered(head, request=Request("HEAD", "/"), close=False)
    assert isinstance(answer, Response)
    assert (200, b"") == (answer.status, answer.body)


def test_not_modified_has_no_body_whatever_length_it_names() -> None:
    answer = answered(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 11\r\n\r\n", close=False)
    assert Response(304, (("content-length", "11"),)) == answer


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"hello world")),
        ("gzip", gzip.compress(b"hello ") + gzip.compress(b"world")),
        ("deflate", zlib.compress(b"hello world")),
        ("Deflate", zlib.compress(b"hello world", wbits=-15)),
        ("deflate, gzip", gzip.compress(zlib.compress(b"hello world"))),
        ("br", b"hello world"),
    ],
    ids=["gzip", "two members", "zlib", "bare deflate", "both", "unknown"],
)
def test_a_packed_body_is_unpacked(coding: str, packed: bytes) -> None:
    answer = answered(b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\n\r\n" % coding.encode() + packed)
    assert isinstance(answer, Response)
    assert b"hello world" == answer.body


@pytest.mark.parametrize(
    "packed",
    [b"not packed at all", gzip.compress(b"hello world")[:-4], gzip.compress(b"\0" * (LARGEST_ANSWER + 1), 1)],
    ids=["no gzip", "cut off", "a bomb"],
)
def test_a_body_that_cannot_be_unpacked_is_malformed(packed: bytes) -> None:
    answer = answered(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", packed)
    assert isinstance(answer, Failure)
    assert "malformed" == answer.kind


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    ],
)
def test_what_is_not_http_is_malformed(data: bytes) -> None:
    answer = answered(data, close=False)
    assert isinstance(answer, Failure)
    assert "malformed" == answer.kind


def test_bodies_of_many_megabytes_go_both_ways() -> None:
    body = bytes(range(256)) * 4096 * 8

    async def call() -> Response | Failure:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await peer.heard(reader)
            back = request.partition(b"\r\n\r\n")[2]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(back) + back)
            await writer.drain()

        async with Peer(echo) as peer:
            return await peer.client.send(Request("POST", "/", (), body), 30)

    answer = asyncio.run(call())
    assert isinstance(answer, Response)
    assert body == answer.body


def test_a_server_that_answers_before_it_has_read_everything_is_heard() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!"
    answer = answered(refusal, request=Request("POST", "/", (), b"x" * 50_000_000), close=False)
    assert isinstance(answer, Response)
    assert (413, b"no!") == (answer.status, answer.body)


# ── connections ─────────────────────────────────────────────────────────────


def keeping(peer: list[Peer], answers: int) -> Talk:
    """Answers so many requests on one connection, then closes it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(answers):
            await peer[0].heard(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)

    return talk


def test_one_connection_serves_call_after_call() -> None:
    async def call() -> tuple[list[bytes], int]:
        holder: list[Peer] = []
        async with Peer(keeping(holder, 100)) as peer:
            holder.append(peer)
            answers = [await peer.client.send(GET, 5) for _ in range(4)]
            return [answer.body for answer in answers if isinstance(answer, Response)], peer.connections

    assert ([b"0", b"1", b"2", b"3"], 1) == asyncio.run(call())


def test_a_body_wrongly_sent_after_head_is_not_taken_for_the_next_answer() -> None:
    async def wrong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"hi")
        await reader.read()

    async def call() -> list[Response | Failure]:
        async with Peer(wrong, saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")) as peer:
            first = await peer.client.send(Request("HEAD", "/"), 5)
            await asyncio.sleep(0.05)
            return [first, await peer.client.send(GET, 5)]

    bodies = [answer.body for answer in asyncio.run(call()) if isinstance(answer, Response)]
    assert [b"", b"good"] == bodies


def test_kept_alive_after_head_and_no_content() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            status = b"204 No Content" if b"/empty" in head else b"200 OK\r\nContent-Length: 2"
            writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n" + (b"hi" if head.startswith(b"GET /full") else b""))

    async def call() -> tuple[int, list[bytes]]:
        async with Peer(talk) as peer:
            bodies = []
            for method, target in (("HEAD", "/full"), ("GET", "/full"), ("DELETE", "/empty"), ("GET", "/full")):
                answer = await peer.client.send(Request(method, target), 5)
                assert isinstance(answer, Response)
                bodies.append(answer.body)
            return peer.connections, bodies

    assert (1, [b"", b"hi", b"", b"hi"]) == asyncio.run(call())


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    async def call() -> tuple[list[int], int, int]:
        holder: list[Peer] = []
        async with Peer(keeping(holder, 1)) as peer:  # closes after every answer, without saying so
            holder.append(peer)
            statuses = []
            for _ in range(4):
                answer = await peer.client.send(Request("POST", "/"), 5)
                assert isinstance(answer, Response)
                statuses.append(answer.status)
            return statuses, peer.connections, len(peer.requests)

    assert ([200] * 4, 4, 4) == asyncio.run(call())


def test_a_call_on_a_new_connection_is_never_sent_twice() -> None:
    async def call() -> tuple[Response | Failure, int]:
        async with Peer(saying()) as peer:
            return await peer.client.send(GET, 5), peer.connections

    assert (Failure("reset", "the connection was closed without an answer"), 1) == asyncio.run(call())


def test_a_kept_connection_lost_within_the_answer_is_not_tried_again() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP")

    async def call() -> tuple[Response | Failure, int]:
        async with Peer(talk) as peer:
            await peer.client.send(GET, 5)
            return await peer.client.send(GET, 5), peer.connections

    answer, connections = asyncio.run(call())
    assert isinstance(answer, Failure)
    assert ("reset", 1) == (answer.kind, connections)


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", b"garbage"])
def test_a_second_answer_to_one_question_is_not_taken_for_the_next_one(extra: bytes) -> None:
    async def first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" + extra)
        await reader.read()

    async def call() -> list[Response | Failure]:
        async with Peer(first, saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")) as peer:
            return [await peer.client.send(GET, 5), await peer.client.send(GET, 5)]

    bodies = [answer.body for answer in asyncio.run(call()) if isinstance(answer, Response)]
    assert [b"hi", b"good"] == bodies


def test_calls_at_the_same_time_get_a_connection_each() -> None:
    async def call() -> tuple[set[bytes], int]:
        everyone = asyncio.Barrier(3)

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            await everyone.wait()
            name = head.split(b" ")[1]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(name) + name)

        async with Peer(talk) as peer:
            answers = await asyncio.gather(*(peer.client.send(Request("GET", f"/{n}"), 5) for n in range(3)))
            return {answer.body for answer in answers if isinstance(answer, Response)}, peer.connections

    assert ({b"/0", b"/1", b"/2"}, 3) == asyncio.run(call())


def test_a_connection_nobody_accepts_is_refused() -> None:
    async def call() -> Response | Failure:
        async with Peer(saying()) as peer:
            port = peer.port
        return await Client(f"http://127.0.0.1:{port}").send(GET, 5)

    assert Failure("refused", "connection refused") == asyncio.run(call())


def test_a_server_that_falls_silent_is_a_timeout_that_says_what_came() -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"
    assert Failure("timeout", "no complete answer within 0.2 s (nothing came)") == answered(close=False, timeout=0.2)
    assert Failure("timeout", "no complete answer within 0.2 s (status 200 and 3 bytes of the body came)") == answered(
        begun, close=False, timeout=0.2
    )


def test_a_long_timeout_before_a_short_one_does_not_lengthen_it() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async def call() -> Response | Failure:
        async with Peer(talk) as peer:
            await peer.client.send(GET, 60)
            async with asyncio.timeout(10):
                return await peer.client.send(GET, 0.1)

    answer = asyncio.run(call())
    assert isinstance(answer, Failure)
    assert "timeout" == answer.kind


def test_a_cancelled_call_closes_its_connection() -> None:
    async def call() -> tuple[Response | Failure, int]:
        holder: list[Peer] = []
        closed = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            try:
                await reader.read()
            finally:
                closed.set()

        async with Peer(silent, keeping(holder, 1)) as peer:
            holder.append(peer)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await peer.client.send(GET, 60)
            async with asyncio.timeout(10):
                await closed.wait()
            return await peer.client.send(GET, 5), peer.connections

    answer, connections = asyncio.run(call())
    assert isinstance(answer, Response)
    assert (200, 2) == (answer.status, connections)


def test_an_answer_that_ends_by_closing_is_complete_although_the_request_is_not_sent_yet() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"HTTP/1.1 413 Too Large\r\n\r\nno!")
        writer.write_eof()
        await asyncio.sleep(20)

    async def call() -> Response | Failure:
        async with Peer(half) as peer:
            answer = await peer.client.send(Request("POST", "/", (), b"x" * 50_000_000), 5)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            return answer

    assert Response(413, (), b"no!") == asyncio.run(call())


def test_what_comes_unasked_is_not_taken_for_the_next_answer() -> None:
    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Le")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"ngth: 3\r\n\r\nbad")

    async def call() -> list[Response | Failure]:
        async with Peer(talkative, saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")) as peer:
            first = await peer.client.send(GET, 5)
            await asyncio.sleep(0.05)
            return [first, await peer.client.send(GET, 5)]

    bodies = [answer.body for answer in asyncio.run(call()) if isinstance(answer, Response)]
    assert [b"hi", b"good"] == bodies


def test_an_address_that_is_no_http_address_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="`ftp://x` is no http or https address"):
        Client("ftp://x")


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux can be told so")
def test_an_answer_whose_head_and_body_are_written_apart_does_not_wait_for_a_late_acknowledgement() -> None:
    class Apart(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()  # written here
            self.wfile.write(b"{}")  # and kept back by the kernel until the head is acknowledged: after 40 ms

        def log_message(self, *args: object) -> None:
            pass

    async def times(port: int) -> list[float]:
        client = Client(f"http://127.0.0.1:{port}")
        found = []
        for _ in range(12):
            began = time.perf_counter()
            assert isinstance(await client.send(GET, 5), Response)
            found.append(time.perf_counter() - began)
        await client.close()
        return found

    with ThreadingHTTPServer(("127.0.0.1", 0), Apart) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            taken = asyncio.run(times(server.server_port))
        finally:
            server.shutdown()
    assert sum(one < 0.03 for one in taken[2:]) > 2
