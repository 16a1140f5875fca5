"""A PostgreSQL's catalog as a `Catalog`, and a migration carried out on a scratch database with what it does on the way:
the schema after every statement, the locks, what is read from end to end, what is written anew."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import msgspec

from crossfade.engine.migration_locks import Held
from crossfade.engine.sql_types import normal
from crossfade.errors import EnvironmentFailed
from crossfade.model.catalog import (
    Catalog,
    Column,
    Constraint,
    Domain,
    Enum,
    Function,
    Index,
    Policy,
    Relation,
    Trigger,
)
from crossfade.model.migration import Kind, Written
from crossfade.world.lost import LOST

CONNECT_TIMEOUT = 10.0
STATEMENT_TIMEOUT = 120.0
_ALONE = (asyncpg.ActiveSQLTransactionError, asyncpg.UnsafeNewEnumValueUsageError)
_QUIET = frozenset({Kind.HARMLESS, Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.TRANSACTION, Kind.LOCK})


class Executed(msgspec.Struct, frozen=True):
    """One statement that ran. `held` is None where it had to run outside of a transaction, which shows no locks."""

    written: Written
    after: Catalog
    held: tuple[Held, ...] | None


class StatementFailed(Exception):
    """A statement of a migration was refused: a result, not an environment error."""

    def __init__(self, written: Written, message: str) -> None:
        super().__init__(message)
        self.written = written
        self.message = message


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection for reading catalogs and running migrations. Raises EnvironmentFailed."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT, command_timeout=STATEMENT_TIMEOUT)
    except (asyncpg.PostgresError, *LOST) as problem:
        raise EnvironmentFailed(f"the scratch database cannot be reached: {problem}") from None
    try:
        yield connection
    except (asyncpg.ConnectionDoesNotExistError, *LOST) as problem:
        raise EnvironmentFailed(f"the scratch database is gone: {problem}") from None
    finally:
        connection.terminate()


async def read_catalog(connection: asyncpg.Connection) -> Catalog:
    """The schema as this connection sees it, what its open transaction has changed included."""
    path = await connection.fetchval("SELECT set_config('crossfade.path', current_setting('search_path'), false)")
    await connection.execute("SET search_path TO public")
    try:
        return await _catalog(connection)
    finally:
        await connection.execute("SELECT set_config('search_path', $1, false)", path)


async def execute(connection: asyncpg.Connection, file: Sequence[Written]) -> list[Executed]:
    """Runs the statements of one file in one transaction, as a migration tool does; one by one where PostgreSQL wants
    them to stand alone. Raises StatementFailed, and has changed nothing then (standing alone: what came before
    stays)."""
    statements = [one for one in file if not any(change.kind is Kind.TRANSACTION for change in one.changes)]
    transaction = connection.transaction()
    await transaction.start()
    try:
        found = await _together(connection, statements)
    except _ALONE:
        await transaction.rollback()
        return await _one_by_one(connection, statements)
    except BaseException:
        await transaction.rollback()
        raise
    await transaction.commit()
    return found


async def _together(connection: asyncpg.Connection, statements: Sequence[Written]) -> list[Executed]:
    current = await read_catalog(connection)
    old = {relation.ident: relation for relation in current.relations.values()}
    storage = {relation.ident: relation.storage for relation in current.relations.values()}
    scans = await _scans(connection)
    found: list[Executed] = []
    for one in statements:
        try:
            await connection.execute(one.text)
        except _ALONE:
            raise
        except asyncpg.PostgresError as problem:
            raise StatementFailed(one, str(problem)) from None
        if not all(change.kind in _QUIET for change in one.changes):
            current = await read_catalog(connection)
        modes = await _modes(connection)
        now = await _scans(connection)
        held = []
        for relation in current.relations.values():
            if relation.ident not in old:
                continue
            rewritten = relation.storage != storage[relation.ident]
            scanned = now.get(relation.ident, 0) > scans.get(relation.ident, 0)
            if relation.ident in modes:
                held.append(Held(relation.name, modes[relation.ident], rewritten, scanned))
        storage |= {relation.ident: relation.storage for relation in current.relations.values()}
        scans = now
        found.append(Executed(one, current, tuple(sorted(held, key=lambda each: each.table))))
    return found


async def _one_by_one(connection: asyncpg.Connection, statements: Sequence[Written]) -> list[Executed]:
    found = []
    for one in statements:
        try:
            await connection.execute(one.text)
        except asyncpg.PostgresError as problem:
            raise StatementFailed(one, str(problem)) from None
        found.append(Executed(one, await read_catalog(connection), None))
    return found


_STRENGTH = (
    "access share", "row share", "row exclusive", "share update exclusive", "share", "share row exclusive", "exclusive",
    "access exclusive",
)  # fmt: skip


async def _modes(connection: asyncpg.Connection) -> dict[int, str]:
    """The strongest lock of this transaction on each relation."""
    strongest: dict[int, str] = {}
    for oid, mode in await connection.fetch(
        "SELECT relation::int8, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted"
    ):
        words = "".join(" " + letter.lower() if letter.isupper() else letter for letter in mode.removesuffix("Lock"))
        plain = words.strip()
        if plain in _STRENGTH:
            old = strongest.get(oid, "access share")
            strongest[oid] = max(old, plain, key=_STRENGTH.index)
    return strongest


async def _scans(connection: asyncpg.Connection) -> dict[int, int]:
    rows = await connection.fetch(
        "SELECT oid::int8, pg_stat_get_xact_numscans(oid) FROM pg_class WHERE relkind IN ('r', 'm', 'p') AND oid >= 16384"
    )
    return {oid: count or 0 for oid, count in rows}


_USER = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'crossfade')"
_NOT_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = {oid} AND e.classid = '{table}'::regclass AND e.deptype = 'e')"
)
_NAME = "CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END"


async def _catalog(connection: asyncpg.Connection) -> Catalog:
    parts = await _parts(connection)
    relations: dict[str, Relation] = {}
    for row in await connection.fetch(
        f"""SELECT c.oid::int8 AS oid, {_NAME} || c.relname AS name, c.relkind::text AS kind, c.relrowsecurity AS secured,
                   c.relforcerowsecurity AS forced, coalesce(pg_relation_filenode(c.oid), 0)::int8 AS storage,
                   pg_get_userbyid(c.relowner)::text AS owner, pg_get_expr(c.relpartbound, c.oid) AS bound,
                   (SELECT {_NAME} || p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
                      JOIN pg_namespace n ON n.oid = p.relnamespace
                     WHERE i.inhrelid = c.oid AND c.relispartition) AS parent,
                   CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS definition,
                   c.relkind IN ('r', 'p') OR pg_relation_is_updatable(c.oid, true) & 12 = 12 AS writable
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE {_USER} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
               AND {_NOT_EXTENSION.format(oid="c.oid", table="pg_class")}"""
    ):
        mine = {kind: tuple(values.get(row["oid"], ())) for kind, values in parts.items()}
        relations[row["name"]] = Relation(
            row["name"],
            row["oid"],
            {"r": "table", "p": "partitioned", "v": "view", "m": "matview", "f": "foreign"}[row["kind"]],
            mine["columns"],
            mine["constraints"],
            mine["indexes"],
            mine["triggers"],
            mine["policies"],
            mine["rules"],
            row["secured"],
            row["forced"],
            tuple(sorted(mine["grants"])),
            row["owner"],
            row["parent"] or "",
            row["bound"] or "",
            row["definition"] or "",
            row["writable"],
            storage=row["storage"],
        )
    return msgspec.structs.replace(await _others(connection), relations=relations)


async def _parts(connection: asyncpg.Connection) -> dict[str, dict[int, list[Any]]]:
    """The columns, constraints, indexes, triggers, policies, rules and grants, by the oid of their relation."""
    parts: dict[str, dict[int, list[Any]]] = {
        kind: defaultdict(list)
        for kind in ("columns", "constraints", "indexes", "triggers", "policies", "rules", "grants")
    }
    for row in await connection.fetch(_COLUMNS):
        default, identity = row["expression"], {"a": "always", "d": "default"}.get(row["identity"], "")
        generated = {"s": "stored", "v": "virtual"}.get(row["generated"], "")
        kind = normal(row["type"])
        parts["columns"][row["relation"]].append(
            Column(row["name"], kind, row["not_null"], default, generated, identity, row["number"])
        )
    for row in await connection.fetch(_CONSTRAINTS):
        kinds = {"c": "check", "u": "unique", "p": "primary", "f": "foreign", "x": "exclude"}
        definition = row["expression"] or (row["whole"] if row["kind"] == "x" else "")
        if row["kind"] == "u" and "NULLS NOT DISTINCT" in row["whole"]:
            definition = "nulls not distinct"
        actions = {"c": "cascade", "n": "set null", "d": "set default", "r": "restrict"}
        parts["constraints"][row["relation"]].append(
            Constraint(
                row["name"],
                kinds[row["kind"]],
                tuple(row["columns"] or ()),
                definition,
                row["target"] or "",
                (),
                actions.get(row["on_delete"], ""),
                row["valid"],
            )
        )
    for row in await connection.fetch(_INDEXES):
        columns = tuple(column.strip('"') if column.count('"') == 2 else column for column in row["columns"])
        parts["indexes"][row["relation"]].append(
            Index(row["name"], columns, row["unique"], row["condition"] or "", row["nulls_equal"])
        )
    for row in await connection.fetch(_TRIGGERS):
        bits = row["bits"]
        events = [name for bit, name in ((4, "insert"), (16, "update"), (8, "delete"), (32, "truncate")) if bits & bit]
        timing = "before" if bits & 2 else "instead" if bits & 64 else "after"
        enabled = row["enabled"] in ("O", "A")
        parts["triggers"][row["relation"]].append(Trigger(row["name"], row["function"], timing, tuple(events), enabled))
    commands = {"*": "all", "r": "select", "a": "insert", "w": "update", "d": "delete"}
    for row in await connection.fetch(_POLICIES):
        parts["policies"][row["relation"]].append(
            Policy(
                row["name"],
                commands[row["command"]],
                row["permissive"],
                tuple(row["roles"]),
                row["using"] or "",
                row["check"] or "",
            )
        )
    events_of = {"1": "select", "2": "update", "3": "insert", "4": "delete"}
    for row in await connection.fetch(_RULES):
        parts["rules"][row["relation"]].append(f"{row['name']} on {events_of[row['event']]}")
    for row in await connection.fetch(_GRANTS):
        parts["grants"][row["relation"]].append((row["role"], row["right"].lower()))
    return parts


async def _others(connection: asyncpg.Connection) -> Catalog:
    """Everything that is no relation."""
    enums: dict[str, list[tuple[str, int]]] = defaultdict(list)
    idents: dict[str, int] = {}
    for row in await connection.fetch(_ENUMS):
        idents[row["name"]] = row["oid"]
        if row["label"] is not None:
            enums[row["name"]].append((row["label"], row["ident"]))
    checks: dict[int, list[Constraint]] = defaultdict(list)
    for row in await connection.fetch(_DOMAIN_CHECKS):
        checks[row["domain"]].append(Constraint(row["name"], "check", (), row["expression"] or ""))
    domains = {
        row["name"]: Domain(
            row["name"], row["oid"], normal(row["type"]), row["not_null"], row["expression"], tuple(checks[row["oid"]])
        )
        for row in await connection.fetch(_DOMAINS)
    }
    functions: dict[str, Function] = {}
    for row in await connection.fetch(_FUNCTIONS):
        arguments = ", ".join(normal(one) for one in row["arguments"])
        grants = row["grants"] if row["grants"] is not None else ["public execute"]
        functions[f"{row['name']}({arguments})"] = Function(
            row["name"],
            row["oid"],
            arguments,
            normal(row["returns"] or ""),
            row["body"] or "",
            tuple(sorted((one.rpartition(" ")[0], one.rpartition(" ")[2].lower()) for one in grants)),
        )
    sequences = {row["name"]: row["oid"] for row in await connection.fetch(_SEQUENCES)}
    rights: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in await connection.fetch(_SEQUENCE_RIGHTS):
        rights[row["name"]].append((row["role"], row["right"].lower()))
    types = {row["name"]: row["oid"] for row in await connection.fetch(_TYPES)}
    schemas: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in await connection.fetch(_SCHEMAS):
        schemas[row["name"]] += [(row["role"], row["right"].lower())] if row["role"] else []
    return Catalog(
        functions=functions,
        enums={name: Enum(name, ident, tuple(enums[name])) for name, ident in idents.items()},
        domains=domains,
        sequences=sequences,
        sequence_rights={name: tuple(sorted(grants)) for name, grants in rights.items()},
        types=types,
        schemas={name: tuple(sorted(grants)) for name, grants in schemas.items()},
    )


_COLUMNS = f"""
SELECT a.attrelid::int8 AS relation, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull AS not_null, pg_get_expr(d.adbin, d.adrelid) AS expression, a.attgenerated::text AS generated,
       a.attidentity::text AS identity, a.attnum::int8 AS number
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE {_USER} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 ORDER BY a.attrelid, a.attnum"""
_CONSTRAINTS = f"""
SELECT k.conrelid::int8 AS relation, k.conname::text AS name, k.contype::text AS kind,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, p) JOIN pg_attribute a
               ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.p) AS columns,
       pg_get_expr(k.conbin, k.conrelid) AS expression, pg_get_constraintdef(k.oid) AS whole, k.convalidated AS valid,
       k.confdeltype::text AS on_delete,
       (SELECT {_NAME} || t.relname FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
         WHERE t.oid = k.confrelid) AS target
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {_USER} AND k.contype IN ('c', 'u', 'p', 'f', 'x') AND k.conparentid = 0 ORDER BY k.conrelid, k.conname"""
_INDEXES = f"""
SELECT i.indrelid::int8 AS relation, x.relname::text AS name, i.indisunique AS unique,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(1, i.indnkeyatts) k) AS columns,
       pg_get_expr(i.indpred, i.indrelid) AS condition,
       pg_get_indexdef(i.indexrelid) LIKE '%NULLS NOT DISTINCT%' AS nulls_equal
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {_USER} AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('u', 'p', 'x'))
 ORDER BY i.indrelid, x.relname"""
_TRIGGERS = f"""
SELECT t.tgrelid::int8 AS relation, t.tgname::text AS name, t.tgtype::int AS bits, t.tgenabled::text AS enabled,
       (SELECT {_NAME} || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE p.oid = t.tgfoid) AS function
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {_USER} AND NOT t.tgisinternal ORDER BY t.tgrelid, t.tgname"""
_POLICIES = """
SELECT polrelid::int8 AS relation, polname::text AS name, polcmd::text AS command, polpermissive AS permissive,
       ARRAY(SELECT CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r)::text END FROM unnest(polroles) r) AS roles,
       pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS check
  FROM pg_policy ORDER BY polrelid, polname"""
_RULES = """
SELECT ev_class::int8 AS relation, rulename::text AS name, ev_type::text AS event
  FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_class >= 16384 ORDER BY ev_class, rulename"""
_GRANTS = f"""
SELECT c.oid::int8 AS relation, CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END AS role,
       x.privilege_type AS right
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) x
 WHERE {_USER} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND x.grantee <> c.relowner"""
_ENUMS = f"""
SELECT t.oid::int8 AS oid, {_NAME} || t.typname AS name, e.enumlabel::text AS label, e.oid::int8 AS ident
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_enum e ON e.enumtypid = t.oid
 WHERE {_USER} AND t.typtype = 'e' ORDER BY t.oid, e.enumsortorder"""
_DOMAINS = f"""
SELECT t.oid::int8 AS oid, {_NAME} || t.typname AS name, format_type(t.typbasetype, t.typtypmod) AS type,
       t.typnotnull AS not_null, t.typdefault AS expression
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE {_USER} AND t.typtype = 'd' AND {_NOT_EXTENSION.format(oid="t.oid", table="pg_type")}"""
_DOMAIN_CHECKS = """
SELECT contypid::int8 AS domain, conname::text AS name, pg_get_expr(conbin, 0) AS expression
  FROM pg_constraint WHERE contypid <> 0 AND contype = 'c' ORDER BY conname"""
_FUNCTIONS = f"""
SELECT p.oid::int8 AS oid, {_NAME} || p.proname AS name,
       ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY u(t, k) ORDER BY k) AS arguments,
       pg_get_function_result(p.oid) AS returns,
       CASE WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE pg_get_function_sqlbody(p.oid) END AS body,
       CASE WHEN p.proacl IS NOT NULL THEN
         ARRAY(SELECT CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END || ' '
                      || x.privilege_type FROM aclexplode(p.proacl) x WHERE x.grantee <> p.proowner) END AS grants
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE {_USER} AND p.prokind IN ('f', 'p', 'w') AND {_NOT_EXTENSION.format(oid="p.oid", table="pg_proc")}"""
_SEQUENCES = f"""
SELECT c.oid::int8 AS oid, {_NAME} || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {_USER} AND c.relkind = 'S' AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)"""
_SEQUENCE_RIGHTS = f"""
SELECT {_NAME} || c.relname AS name, CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END AS role,
       x.privilege_type AS right
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) x
 WHERE {_USER} AND c.relkind = 'S' AND x.grantee <> c.relowner"""
_TYPES = f"""
SELECT t.oid::int8 AS oid, {_NAME} || t.typname AS name FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_class c ON c.oid = t.typrelid
 WHERE {_USER} AND (t.typtype = 'r' OR (t.typtype = 'c' AND c.relkind = 'c'))"""
_SCHEMAS = f"""
SELECT n.nspname::text AS name, CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END AS role,
       x.privilege_type AS right
  FROM pg_namespace n LEFT JOIN LATERAL aclexplode(n.nspacl) x ON x.grantee <> n.nspowner WHERE {_USER}"""
