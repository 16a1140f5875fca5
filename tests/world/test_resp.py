"""The Redis protocol is read the same whatever the chunks, and every command is named with what it touches."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.world.redis_turns import Redis
from crossfade.world.resp import Commands, NotRedis, Replies, access, touched


def array(*words: bytes | str) -> bytes:
    encoded = [word if isinstance(word, bytes) else word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


words = st.lists(st.binary(max_size=30), min_size=1, max_size=5).map(tuple)
inline = st.lists(st.from_regex(rb"[a-zA-Z][a-z0-9:]{0,8}", fullmatch=True), min_size=1, max_size=4).map(tuple)
sent = st.one_of(
    words.map(lambda command: (command, array(*command))),
    inline.map(lambda command: (command, b" ".join(command) + b"\r\n")),
)
places = st.lists(st.integers(0, 2000), max_size=12)


@given(st.lists(sent, max_size=6), places)
def test_any_chunks_give_the_same_commands(commands, places):
    parser = Commands()
    whole = b"".join(data for _, data in commands)
    found = [command for chunk in cut(whole, places) for command in parser.feed(chunk)]
    assert [arguments for arguments, _ in commands] == [command.arguments for command in found]
    assert whole == b"".join(command.data for command in found)
    assert not parser.unfinished
    assert parser.problem == ""


def encoded(value: object) -> bytes:
    """A reply as a server writes it."""
    match value:
        case None:
            return b"_\r\n"
        case bool():
            return b"#t\r\n" if value else b"#f\r\n"
        case int():
            return b":%d\r\n" % value
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(value), value)
        case str():
            return b"+" + value.encode() + b"\r\n"
        case list():
            return b"*%d\r\n" % len(value) + b"".join(map(encoded, value))
        case set() | frozenset():
            return b"~%d\r\n" % len(value) + b"".join(map(encoded, sorted(value)))
        case dict():
            pairs = b"".join(encoded(name) + encoded(item) for name, item in value.items())
            return b"%%%d\r\n" % len(value) + pairs
        case tuple():
            return b"|1\r\n" + encoded(value[0]) + encoded(value[1]) + encoded(value[2])
    raise TypeError(value)


leaf = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.binary(max_size=80), st.from_regex("[a-z]{1,5}", fullmatch=True)
)
reply = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.binary(max_size=5), inner, max_size=3),
        st.tuples(leaf, inner, inner),
        st.frozensets(st.integers(0, 9), max_size=3),
    ),
    max_leaves=12,
)


@given(st.lists(reply, max_size=6), places)
def test_any_chunks_give_the_same_number_of_replies_with_the_same_words(replies, places):
    whole = b"".join(map(encoded, replies))
    at_once = Replies().feed(whole)
    parser = Replies()
    assert len(replies) == len(at_once)
    assert at_once == [answer for chunk in cut(whole, places) for answer in parser.feed(chunk)]


@given(st.lists(st.binary(max_size=60), max_size=10))
@settings(max_examples=200)
def test_any_bytes_are_read_to_their_end_or_refused(chunks):
    commands, replies = Commands(), Replies()
    taken = b"".join(command.data for chunk in chunks for command in commands.feed(chunk))
    assert b"".join(chunks) == taken + commands.rest()
    try:
        for chunk in chunks:
            replies.feed(chunk)
    except NotRedis as problem:
        assert str(problem)


pieces = st.sampled_from(
    [b"*", b"$", b"%", b"|", b">", b"~", b"1", b"2", b"0", b"-1", b"\r\n", b":5\r\n", b"+OK\r\n", b"GET", b"a"]
)


@given(st.lists(pieces, max_size=60))
@settings(max_examples=200)
def test_nearly_correct_bytes_never_lose_a_byte(tokens):
    talk = Redis()
    given_out = b"".join(said.data for token in tokens for said in talk.sent(token))
    assert b"".join(tokens) == given_out + talk.rest()
    try:
        for token in tokens:
            assert talk.answered(token)[0] == token
    except NotRedis as problem:
        assert str(problem)


@pytest.mark.parametrize(
    "written, text",
    [
        (b"+OK\r\n", "OK"),
        (b"$-1\r\n", "nil"),
        (b"*-1\r\n", "nil"),
        (b"_\r\n", "nil"),
        (b"$2\r\n70\r\n", '"70"'),
        (b":-3\r\n", "-3"),
        (b",1.5\r\n", "1.5"),
        (b"*0\r\n", "[]"),
        (b"*2\r\n$1\r\na\r\n*1\r\n-ERR no\r\n", '["a", [error ERR no]]'),
        (b"%1\r\n+left\r\n:3\r\n", "{left: 3}"),
        (b"=8\r\ntxt:some\r\n", '"some"'),
        (b"|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n", '"x"'),
        (b"*7\r\n" + b":1\r\n" * 7, "[1, 1, 1, 1, 1, ... 7 in all]"),
        (b"$3\r\n\xff\x00a\r\n", json.dumps("\\xff\x00a")),
    ],
)
def test_a_reply_in_a_few_characters(written, text):
    (found,) = Replies().feed(written)
    assert text == found.text
    assert found.error == ""


def test_errors_and_pushed_messages_are_known_as_such():
    error, other, pushed = Replies().feed(
        b"-WRONGTYPE not a list\r\n!5\r\nERR x\r\n>2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n"
    )
    assert ("WRONGTYPE not a list", "ERR x") == (error.error, other.error)
    assert (False, True) == (other.push, pushed.push)


def test_a_large_reply_is_not_kept():
    parser = Replies()
    assert [] == parser.feed(b"$5000000\r\n")
    for _ in range(50):
        assert [] == parser.feed(b"x" * 100_000)
        assert len(parser._head) <= 240
    (found,) = parser.feed(b"\r\n")
    assert '"' + "x" * 57 + '..."' == found.text


@pytest.mark.parametrize(
    "command, reads, writes",
    [
        ("GET a", "a", ""),
        ("SET a 1", "", "a"),
        ("set a 1 nx", "a", "a"),
        ("SET a 1 EX 5", "", "a"),
        ("MSET a 1 b 2", "", "a b"),
        ("MGET a b", "a b", ""),
        ("INCRBY a 2", "a", "a"),
        ("HSET h f v", "h", "h"),
        ("DEL a b", "a b", "a b"),
        ("EXPIRE a 10", "a", "a"),
        ("RENAME a b", "a b", "a b"),
        ("COPY a b", "a b", "b"),
        ("SUNIONSTORE d a b", "a b", "d"),
        ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "a b", "d"),
        ("ZINTER 2 a b WITHSCORES", "a b", ""),
        ("BITOP AND d a b", "a b", "d"),
        ("LMPOP 2 a b LEFT", "a b", "a b"),
        ("EVAL script 2 a b 5", "a b", "a b"),
        ("EVAL_RO script 1 a 5", "a", ""),
        ("XADD s * k v", "s", "s"),
        ("XREAD COUNT 2 STREAMS s t 0 0", "s t", ""),
        ("XREADGROUP GROUP g me STREAMS s >", "s", "s"),
        ("SORT a LIMIT 0 5 STORE b", "a", "b"),
        ("OBJECT ENCODING a", "a", ""),
        ("WATCH a b", "a b", ""),
        ("MULTI", "", ""),
        ("PING", "", ""),
    ],
)
def test_what_a_command_touches(command, reads, writes):
    assert (frozenset(reads.split()), frozenset(writes.split())) == access(command.split())
    assert access(command.split()) == access(command.encode().split())


@pytest.mark.parametrize(
    "command",
    [
        "KEYS *",
        "SCAN 0",
        "FLUSHALL",
        "DBSIZE",
        "EXEC",
        "EVAL script 0",
        "SORT a BY w_*",
        "GEORADIUS a",
        "JSON.SET a",
        "ZUNION x a",
        "GET",
    ],
)
def test_what_may_touch_any_key_is_unknown(command):
    assert access(command.split()) is None
    assert touched([["GET", "a"], command.split()]) is None


def told(talk: Redis, *commands: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(said.text, said.values) for said in talk.sent(b"".join(array(*command.split()) for command in commands))]


def test_a_pipeline_is_one_turn_that_is_over_with_its_last_reply():
    talk = Redis()
    (said,) = talk.sent(array("PING") + array("SET", "stock:7", "70") + array("GET", "stock:7"))
    assert "SET stock:7; GET stock:7" == said.text
    assert ("70",) == said.values
    assert (("SET", "stock:7", "70"), ("GET", "stock:7")) == said.commands
    assert talk.answered(b"+PONG\r\n+OK\r\n$2\r\n7")[1] is None
    answer = talk.answered(b"0\r\n")[1]
    assert answer is not None
    assert 'OK; "70"' == answer.result


def test_a_pipeline_whose_end_is_still_to_come_waits_for_it():
    talk, data = Redis(), array("SET", "a", "1") + array("SET", "b", "2")
    assert [] == talk.sent(data[:-5])
    assert ["SET a; SET b"] == [said.text for said in talk.sent(data[-5:])]


def test_a_transaction_is_the_turn_of_its_exec_however_it_is_sent():
    commands = ["MULTI", "SET a 1", "INCR b", "EXEC"]
    at_once, one_by_one = Redis(), Redis()
    assert [("MULTI; SET a; INCR b; EXEC", ("1",))] == told(at_once, *commands)
    pieces = [piece for command in commands for piece in told(one_by_one, command)]
    assert ["", "", "", "MULTI; SET a; INCR b; EXEC"] == [text for text, _ in pieces]
    answer = at_once.answered(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:4\r\n")[1]
    assert answer is not None
    assert "[OK, 4]" == answer.result


def test_a_watched_key_is_read_by_exec_and_a_discarded_transaction_is_none():
    talk = Redis()
    assert ["WATCH w"] == [text for text, _ in told(talk, "WATCH w")]
    (said,) = talk.sent(array("MULTI") + array("SET", "a", "1") + array("EXEC"))
    assert (frozenset({"w"}), frozenset({"a"})) == touched(said.commands)
    assert [("", ())] == told(talk, "MULTI", "SET a 1", "DISCARD")
    assert [("GET a", ())] == told(talk, "GET a")


@pytest.mark.parametrize(
    "command",
    [
        "BRPOP jobs 0",
        "XREAD BLOCK 0 STREAMS s $",
        "SUBSCRIBE news",
        "MONITOR",
        "CLIENT REPLY OFF",
        "WAIT 1 0",
        "CLUSTER SLOTS",
    ],
)
def test_a_connection_that_blocks_or_listens_is_given_up_with_a_reason(command):
    talk, data = Redis(), array("GET", "a") + array(*command.split())
    first, second, rest = talk.sent(data + b"*1\r\n$4\r\nPI")
    assert "GET a" == first.text
    assert command.split()[0] in second.stop
    assert data + b"*1\r\n$4\r\nPI" == first.data + second.data + rest.data


def test_what_is_no_redis_is_given_up_without_losing_what_came_before():
    talk = Redis()
    first, second = talk.sent(array("GET", "a") + b"*x\r\n")
    assert "GET a" == first.text
    assert b"*x\r\n" == second.data
    assert "not the protocol of Redis" in second.stop
