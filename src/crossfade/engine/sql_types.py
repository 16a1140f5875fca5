"""PostgreSQL's types by one name, and what becomes of values and statements when a column changes from one to another."""

from __future__ import annotations

import enum
import re

_ALIASES = {
    "int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint", "serial": "integer", "serial4": "integer",
    "bigserial": "bigint", "serial8": "bigint", "smallserial": "smallint", "serial2": "smallint", "bool": "boolean",
    "varchar": "character varying", "char": "character", "bpchar": "character", "decimal": "numeric",
    "float": "double precision", "float8": "double precision", "float4": "real", "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone", "timetz": "time with time zone", "time": "time without time zone",
    "varbit": "bit varying",
}  # fmt: skip
_INTEGERS = {"smallint": 0, "integer": 1, "bigint": 2}
_TEXTS = ("character varying", "text", "citext")
_PART = re.compile(r"^(.*?)\s*(?:\(\s*([^)]*)\)\s*(.*))?$", re.S)


class TypeChange(enum.Enum):
    SAME = "same"
    WIDER = "wider"  # every old value fits, and reads as it did
    LARGER = "larger"  # every old value fits; a new one may not fit what the old side reads it into
    NARROWER = "narrower"  # values the old side may write are refused or cut
    OTHER = "other"  # another kind of value


def normal(written: str) -> str:
    """
    >>> normal("VARCHAR( 20 )"), normal("timestamptz(3)"), normal("pg_catalog.int4[]"), normal("numeric(10, 2)")
    ('character varying(20)', 'timestamp(3) with time zone', 'integer[]', 'numeric(10,2)')
    """
    text = re.sub(r"\s+", " ", written.strip().replace('"', ""))
    text = text.lower().removeprefix("pg_catalog.").removeprefix("public.")
    array = ""
    while match := re.search(r"\s*(\[\d*\]|\barray)$", text):
        array, text = "[]", text[: match.start()]
    match = _PART.match(text)
    assert match is not None
    base, sizes, after = match.group(1).strip(), match.group(2), (match.group(3) or "").strip()
    base = _ALIASES.get(f"{base} {after}".strip(), _ALIASES.get(base, base)) if after != "with time zone" else base
    if after == "with time zone" or base.endswith(("with time zone", "without time zone")):
        zone = "with" if after == "with time zone" or base.endswith(" with time zone") else "without"
        base = base.split(" ")[0]
        return f"{base}{f'({sizes.strip()})' if sizes else ''} {zone} time zone{array}"
    sizes = ",".join(part.strip() for part in sizes.split(",")) if sizes else ""
    if base == "character" and not sizes and "char" in text:
        sizes = "1"
    if base == "numeric" and sizes and "," not in sizes:
        sizes += ",0"
    return f"{base}{f'({sizes})' if sizes else ''}{array}"


def type_change(old: str, new: str) -> TypeChange:
    """What an old side meets when a column of type `old` becomes `new` (both as `normal` gives them).

    >>> type_change("integer", "bigint").value, type_change("character varying(20)", "text").value
    ('larger', 'wider')
    >>> type_change("numeric(10,2)", "numeric(8,2)").value, type_change("integer", "text").value
    ('narrower', 'other')
    """
    if old == new:
        return TypeChange.SAME
    if old.endswith("[]") != new.endswith("[]"):
        return TypeChange.OTHER
    (a, a_sizes), (b, b_sizes) = _parts(old.removesuffix("[]")), _parts(new.removesuffix("[]"))
    if a in _INTEGERS and b in _INTEGERS:
        return TypeChange.LARGER if _INTEGERS[b] > _INTEGERS[a] else TypeChange.NARROWER
    if (a, b) in (("real", "double precision"), ("double precision", "real")):
        return TypeChange.LARGER if b == "double precision" else TypeChange.NARROWER
    if a in _TEXTS and b in _TEXTS and "citext" not in (a, b):
        return _longer(a_sizes, b_sizes)
    if (a, b) == ("character", "character"):
        return _longer(a_sizes, b_sizes)
    if (a, b) == ("numeric", "numeric"):
        return _numeric(a_sizes, b_sizes)
    if a == b and ("time" in a or a == "interval"):
        return _longer(a_sizes, b_sizes)
    if (a, b) == ("json", "jsonb"):
        return TypeChange.LARGER
    if a == b == "bit varying":
        return _longer(a_sizes, b_sizes)
    return TypeChange.OTHER


def rewrites(old: str, new: str, using: str = "") -> bool:
    """Must PostgreSQL write the table anew for this change of type? (Not asked for time zones: those depend on a
    setting.)"""
    change = type_change(old, new)
    (a, _), (b, _) = _parts(old), _parts(new)
    plain = not using or re.fullmatch(r'"?\w+"?(?:\s*::\s*[\w\s().,]+)?', using.strip()) is not None
    if not plain:
        return True
    if change is TypeChange.SAME:
        return False
    return not (
        change is TypeChange.WIDER and (a in _TEXTS or a in ("numeric", "bit varying") or "time" in a) and b != ""
    )


def _parts(name: str) -> tuple[str, tuple[int, ...]]:
    match = re.match(r"^([^(]*?)\s*(?:\(([\d,\s]+)\))?(\s+with(?:out)? time zone)?$", name)
    if match is None:
        return name, ()
    sizes = tuple(int(size) for size in match.group(2).split(",")) if match.group(2) else ()
    return match.group(1) + (match.group(3) or ""), sizes


def _longer(old: tuple[int, ...], new: tuple[int, ...]) -> TypeChange:
    if not new:
        return TypeChange.WIDER
    return TypeChange.WIDER if old and new[0] >= old[0] else TypeChange.NARROWER


def _numeric(old: tuple[int, ...], new: tuple[int, ...]) -> TypeChange:
    if not new:
        return TypeChange.WIDER
    if not old:
        return TypeChange.NARROWER
    fits = new[1] >= old[1] and new[0] - new[1] >= old[0] - old[1]
    return TypeChange.NARROWER if not fits else TypeChange.WIDER if new[1] == old[1] else TypeChange.LARGER
