"""Requests of HTTP/1.1 and statements of MySQL are told apart into the same turns whatever the chunks."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.world.mysql import MySql, without_literals
from crossfade.world.spoken import Answered, Http, Opaque, Said, Talk


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def turns(pieces: list[Said]) -> list[tuple[str, tuple[str, ...]]]:
    return [(said.text, said.values) for said in pieces if said.text]


places = st.lists(st.integers(0, 3000), max_size=12)

# ── HTTP ────────────────────────────────────────────────────────────────────────

bodies = st.one_of(st.just(b""), st.binary(max_size=50), st.sampled_from([b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]))
requests = st.tuples(
    st.sampled_from(["GET", "POST", "PATCH"]), st.from_regex("/[a-z0-9/]{0,9}", fullmatch=True), bodies
)


@given(st.lists(requests, max_size=4), places)
def test_any_chunks_give_the_same_requests(sent, places):
    whole = b"".join(
        f"{method} {target} HTTP/1.1\r\nHost: shop\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        for method, target, body in sent
    )
    talk = Http()
    pieces = [said for chunk in cut(whole, places) for said in talk.sent(chunk)]
    assert whole == b"".join(said.data for said in pieces)
    assert [f"{method} {target}" for method, target, _ in sent] == [text for text, _ in turns(pieces)]
    assert not any(said.stop for said in pieces)


@given(
    st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b"GET /", b" HTTP/1.1", b"\r\n", b"PRI"])), max_size=12)
)
def test_any_bytes_come_out_again(chunks):
    for talk in (Http(), Opaque(), MySql()):
        pieces = [said for chunk in chunks for said in talk.sent(chunk)]
        assert b"".join(chunks) == b"".join(said.data for said in pieces) + talk.rest()


def test_a_large_body_goes_as_it_comes_and_is_no_turn_of_its_own():
    talk = Http()
    head = b"PUT /file HTTP/1.1\r\nContent-Length: 200000\r\n\r\n"
    (first,) = talk.sent(head + b"POST / HTTP/1.1\r\n\r\n")
    assert "PUT /file" == first.text
    (more,) = talk.sent(b"x" * (200_000 - 19))
    assert "" == more.text
    assert [("GET /next", ())] == turns(talk.sent(b"GET /next HTTP/1.1\r\n\r\n"))


def test_the_server_is_told_the_host_it_has_without_the_proxy():
    talk, request = (
        Http("shop:8080"),
        b"GET /host: HTTP/1.1\r\nX: a\r\nhost: 127.0.0.1:999\r\nContent-Length: 4\r\n\r\nHost",
    )
    pieces = [said for chunk in (request[:30], request[30:], request) for said in talk.sent(chunk)]
    expected = request.replace(b"host: 127.0.0.1:999", b"Host: shop:8080")
    assert [expected, expected] == [said.data for said in pieces]
    assert [("GET /host:", ("Host",))] * 2 == turns(pieces)
    assert b"Host: shop:8080" in talk.sent(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n")[0].data
    assert ["", ""] == [said.text for said in (*talk.sent(bytes(80_000)), *talk.sent(bytes(10_000)))]
    assert [("GET /", ())] == turns(talk.sent(b"GET / HTTP/1.1\r\n\r\n"))


def test_a_body_in_chunks_belongs_to_its_request():
    talk = Http()
    (first,) = talk.sent(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    (more,) = talk.sent(b"0\r\n\r\n")
    assert ("POST /a", "") == (first.text, more.text)
    assert [("GET /b", ())] == turns(talk.sent(b"GET http://shop:80/b HTTP/1.1\r\n\r\n"))


def test_a_server_that_says_continue_has_not_answered():
    talk = Http()
    (said,) = talk.sent(b"POST /a HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert "POST /a" == said.text
    assert talk.answered(b"HTTP/1.1 100 Continue\r\n\r\n")[1] is None
    assert [Said(b"abc")] == talk.sent(b"abc")
    assert Answered("409") == talk.answered(b"HTTP/1.1 409 Conflict\r\n\r\n")[1]
    assert Answered("201") == talk.answered(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 201 Created\r\n\r\n")[1]


# ── MySQL ───────────────────────────────────────────────────────────────────────

IN_TRANSACTION, AUTOCOMMIT = b"\x01\0", b"\x02\0"
COLUMN = b"\x03def" + bytes(20)


def packets(*payloads: bytes, first: int = 0) -> bytes:
    return b"".join(
        len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload
        for number, payload in enumerate(payloads, first)
    )


def ok(status: bytes, changed: int = 0) -> bytes:
    return packets(bytes([0, changed, 0]) + status + b"\0\0", first=1)


def end(status: bytes) -> bytes:
    return b"\xfe\0\0" + status


GREETING = packets(b"\x0a10.11\0" + bytes(13) + b"\xff\xff\x2d\x02\0\xff\xff" + bytes(13))
LOGIN = packets(bytes(40), first=1)


def logged_in() -> MySql:
    talk = MySql()
    assert talk.answered(GREETING)[0] != GREETING
    assert [Said(LOGIN)] == talk.sent(LOGIN)
    assert (ok(AUTOCOMMIT), None) == talk.answered(ok(AUTOCOMMIT))
    return talk


def query(sql: str) -> bytes:
    return packets(b"\x03" + sql.encode())


@given(st.lists(st.from_regex("(UPDATE|DELETE) [a-z]{1,20}", fullmatch=True), max_size=4), places, places)
def test_any_chunks_give_the_same_statements_and_answers(statements, places, others):
    talk = logged_in()
    pieces = [said for chunk in cut(b"".join(map(query, statements)), places) for said in talk.sent(chunk)]
    assert [(sql, ()) for sql in statements] == turns(pieces)

    answer = packets(b"\x01", COLUMN, end(AUTOCOMMIT), b"\x0270", end(IN_TRANSACTION), first=1)
    talk.sent(query("SELECT n FROM stock"))
    told = [talk.answered(chunk) for chunk in cut(answer, others)]
    assert answer == b"".join(data for data, _ in told)
    assert [Answered("1 row: 70", "", True)] == [answered for _, answered in told if answered is not None]


@pytest.mark.parametrize(
    "answer, expected",
    [
        (ok(IN_TRANSACTION, 3), Answered("3 rows changed", "", True)),
        (ok(AUTOCOMMIT), Answered("OK")),
        (packets(b"\xff\xbd\x04#40001Deadlock found", first=1), Answered("", "1213 40001 Deadlock found")),
        (packets(b"\x01", COLUMN, end(AUTOCOMMIT), end(AUTOCOMMIT), first=1), Answered("0 rows")),
        (packets(b"\x01", COLUMN, b"\xfe\0\0" + IN_TRANSACTION + b"\0\0", first=1), Answered("0 rows", "", True)),
        (packets(b"\x01", COLUMN, b"\x01a", b"\x01b", b"\xfe\0\0\2\0\0\0", first=1), Answered("2 rows")),
        (
            packets(b"\x02", COLUMN, COLUMN, end(AUTOCOMMIT), b"\xfb\x01a", end(AUTOCOMMIT), first=1),
            Answered("1 row: NULL, a"),
        ),
    ],
)
def test_answers_of_mysql_in_a_few_words(answer, expected):
    talk = logged_in()
    talk.sent(query("SELECT n FROM stock"))
    assert talk.answered(answer[:-1])[1] is None
    assert (answer[-1:], expected) == talk.answered(answer[-1:])


def test_a_cursor_answers_with_its_columns():
    talk = logged_in()
    talk.sent(query("SELECT n FROM stock"))
    assert talk.answered(packets(b"\x01", COLUMN, end(b"\x40\0"), first=1))[1] is not None


def test_only_what_works_on_data_is_a_turn():
    talk = logged_in()
    local = ["SET NAMES utf8", "select 1", "/* ping */ SELECT 1;", "BEGIN", "START TRANSACTION", "USE shop", "COMMIT",
             "-- reset\nROLLBACK", "SELECT @@version"]  # fmt: skip
    for sql in local:
        assert [] == turns(talk.sent(query(sql)))
        talk.answered(ok(AUTOCOMMIT))
    for command in (b"\x0e", b"\x02shop", b"\x1f", b"\x19\1\0\0\0"):
        assert [] == turns(talk.sent(packets(command)))
    (said,) = talk.sent(query("SELECT 100, n FROM t"))
    assert ("SELECT ?, n FROM t", ("100",), True) == (said.text, said.values, said.began)
    assert turns(talk.sent(query("START TRANSACTION WITH CONSISTENT SNAPSHOT")))


def test_commit_counts_where_a_transaction_is_open_also_by_switching_autocommit_on():
    for sql, kind in (("COMMIT", "commit"), ("rollback work", "rollback"), ("SET autocommit = 1", "commit")):
        talk = logged_in()
        talk.sent(query("UPDATE stock SET n = 1"))
        talk.answered(ok(IN_TRANSACTION, 1))
        (said,) = talk.sent(query(sql))
        assert (sql, kind) == (said.text, said.kind)
        assert Answered("OK") == talk.answered(ok(AUTOCOMMIT))[1]
        assert [] == turns(talk.sent(query(sql)))


def test_an_executed_statement_is_named_by_its_text_with_the_values_bound():
    talk = logged_in()
    sql = "UPDATE t SET a = ?, b = ?, c = ?, d = ? WHERE e = 'x' LIMIT ?"
    assert [] == turns(talk.sent(packets(b"\x16" + sql.encode())))
    talk.answered(packets(b"\0\x09\0\0\0\0\0\5\0\0\0\0", first=1))
    types = b"\x08\x80\xfd\0\x06\0\x0c\0\x01\0"
    values = (2**64 - 1).to_bytes(8, "little") + b"\x03abc" + b"\x04\xea\x07\x0b\x18" + b"\xff"
    head = b"\x17\x09\0\0\0\0\1\0\0\0\x04"
    expected = [(sql, ("18446744073709551615", "abc", "NULL", "2026-11-24", "-1"))]
    assert expected == turns(talk.sent(packets(head + b"\1" + types + values)))
    assert expected == turns(talk.sent(packets(head + b"\0" + values)))
    for size in range(len(values)):  # never more than can be read
        talk.sent(packets(head + b"\0" + values[:size]))


def test_literals_are_taken_out_of_a_statement():
    text, values = without_literals(
        r"""UPDATE `t 1` SET a = 'it\'s', b="x" /* no 7 */, c = 0x1F WHERE t2.id = 5 AND n1 > -2.5e3"""
    )
    assert "UPDATE `t 1` SET a = ?, b=? /* no 7 */, c = ? WHERE t2.id = ? AND n1 > ?" == text
    assert (r"it\'s", "x", "0x1F", "5", "-2.5e3") == values


@pytest.mark.parametrize("payload, reason", [(b"\x12", "replication"), (b"\x1e", "replication")])
def test_a_replica_is_passed(payload, reason):
    talk = logged_in()
    assert reason in talk.sent(packets(payload))[0].stop


def test_a_client_that_insists_on_tls_is_passed():
    talk: Talk = MySql()
    talk.answered(GREETING)
    (said, *_) = talk.sent(packets(b"\0\x08\0\0" + bytes(28), first=1) + b"\x16\x03\x01")
    assert "MySQL over TLS: turns cannot be told apart" == said.stop
