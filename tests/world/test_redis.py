"""What changes in Redis is seen as a difference to the checkpoint and taken back."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest
import redis.asyncio as client
from stores_scene import Scene, scene

from crossfade.errors import EnvironmentFailed
from crossfade.model.contract import Database


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with scene(tmp_path_factory.mktemp("redis"), [Database("cache", "redis")]) as opened:
        yield opened


@pytest.fixture
def stores(stage: Scene):
    made = stage.run(stage.servers.create("test"))
    yield made
    stage.run(made.drop())


def ask(stage: Scene, stores, *commands):
    """The answers to commands on a connection of a service's own."""

    async def work():
        service = client.Redis.from_url(stores.urls["cache"], decode_responses=True)
        try:
            return [await service.execute_command(*command) for command in commands]
        finally:
            await service.aclose()

    return stage.run(work())


FILL = [
    ("SET", "text", "5"),
    ("HSET", "hash", "b", "2", "a", "1"),
    ("SADD", "set", "y", "x"),
    ("RPUSH", "list", "1", "2"),
    ("ZADD", "sorted", "1795886504.8609211", "two", "1", "one", "inf", "three"),
    ("XADD", "stream", "1-1", "k", "v"),
    ("SET", "short", "soon", "PX", "600000"),
]


def test_every_type_is_told_readably_and_taken_back(stage: Scene, stores) -> None:
    stage.run(stores.checkpoint())
    ask(stage, stores, *FILL)
    keys = stage.run(stores.rewind()).keys
    assert {key.key: key.content for key in keys} == {
        "text": 'string "5"',
        "hash": 'hash {"a": "1", "b": "2"}',
        "set": 'set ["x", "y"]',
        "list": 'list ["1", "2"]',
        "sorted": 'zset [["one", 1], ["two", 1795886504.8609211], ["three", "inf"]]',
        "stream": 'stream [["1-1", ["k", "v"]]]',
        "short": 'string "soon"',
    }
    assert all(key.before is None and key.after for key in keys)
    assert [key.key for key in keys if key.ttl > 0] == ["short"]
    assert ask(stage, stores, ("DBSIZE",)) == [0]


def test_changed_and_removed_keys_come_back_as_they_were(stage: Scene, stores) -> None:
    ask(stage, stores, *FILL)
    stage.run(stores.checkpoint())
    before = stage.run(stores.fingerprint())
    ask(
        stage,
        stores,
        ("INCR", "text"),
        ("DEL", "hash"),
        ("PERSIST", "short"),
        ("SADD", "set", "z"),
        ("SREM", "set", "z"),
    )
    changes = stage.run(stores.rewind())
    assert [(key.key, key.content, key.ttl) for key in changes.keys] == [
        ("hash", "", -1),
        ("short", 'string "soon"', -1),
        ("text", 'string "6"', -1),
    ]
    assert stage.run(stores.fingerprint()) == before
    assert ask(stage, stores, ("PTTL", "short"))[0] > 590_000
    assert stage.run(stores.rewind()).keys == ()


def test_a_parked_delta_can_be_written_again(stage: Scene, stores) -> None:
    ask(stage, stores, ("SET", "kept", "1"))
    stage.run(stores.checkpoint())
    ask(stage, stores, *FILL, ("DEL", "kept"))
    parked = stage.run(stores.rewind()).delta()
    stage.run(stores.apply(parked))
    assert ask(stage, stores, ("EXISTS", "kept"), ("GET", "text"), ("LRANGE", "list", 0, -1)) == [0, "5", ["1", "2"]]
    assert {key.key for key in stage.run(stores.rewind()).keys} == {"kept", *(name for _, name, *_ in FILL)}
    assert ask(stage, stores, ("KEYS", "*")) == [["kept"]]


def test_keys_that_are_no_text_survive_parking(stage: Scene, stores) -> None:
    stage.run(stores.checkpoint())
    ask(stage, stores, ("SET", b"\xff\x00 k", "1"))
    parked = stage.run(stores.rewind()).delta()
    stage.run(stores.apply(parked))
    assert ask(stage, stores, ("GET", b"\xff\x00 k")) == ["1"]
    stage.run(stores.rewind())


def test_a_key_of_the_base_that_runs_out_is_no_change_and_comes_back(stage: Scene, stores) -> None:
    ask(stage, stores, ("SET", "brief", "1", "PX", "30"))
    stage.run(stores.checkpoint())
    time.sleep(0.05)
    assert stage.run(stores.rewind()).keys == ()
    assert ask(stage, stores, ("GET", "brief")) == ["1"]


def test_environments_and_templates_do_not_share_keys(stage: Scene, stores) -> None:
    ask(stage, stores, ("SET", "a", "1"))
    other = stage.run(stage.servers.create("other"))
    assert ask(stage, other, ("DBSIZE",)) == [0]
    ask(stage, other, ("SET", "b", "2"))
    stage.run(stage.servers.save_template(other, "later"))
    copy = stage.run(stage.servers.create("copy", "later"))
    assert ask(stage, copy, ("KEYS", "*")) == [["b"]]
    stage.run(copy.drop())


def test_an_environment_that_flushes_everything_does_not_reach_another(stage: Scene, stores) -> None:
    other = stage.run(stage.servers.create("other"))
    ask(stage, stores, ("SET", "a", "1"))
    stage.run(stores.checkpoint())
    ask(stage, other, ("FLUSHALL",))
    assert stage.run(stores.rewind()).keys == ()
    stage.run(other.drop())


def test_a_server_that_is_given_is_used_where_it_is_empty_and_left_as_it_was(stage: Scene, tmp_path) -> None:
    owner = stage.run(stage.servers.create("owner"))
    ask(stage, owner, ("SET", "theirs", "1"))
    with scene(tmp_path, [Database("cache", "redis", url=owner.urls["cache"])]) as guest:
        made = guest.run(guest.servers.create("test"))
        assert made.urls["cache"] != owner.urls["cache"]
        ask(guest, made, ("SET", "mine", "1"))
    ask_owner = ask(stage, owner, ("KEYS", "*"), ("INFO", "keyspace"))
    assert ask_owner[0] == ["theirs"]
    stage.run(owner.drop())


def test_a_killed_server_is_an_environment_failure(tmp_path) -> None:
    with scene(tmp_path, [Database("cache", "redis")]) as stage:
        stores = stage.run(stage.servers.create("test"))
        stage.run(stores.checkpoint())
        (pid,) = (entry[1] for entry in stage.book.open if entry[0] == "process")
        os.kill(pid, signal.SIGKILL)

        async def later():
            await asyncio.sleep(0.1)
            return await stores.rewind()

        with pytest.raises(EnvironmentFailed, match="database `cache` died"):
            stage.run(later())
        assert "database `cache` died" in stage.run(stage.servers.alive())
