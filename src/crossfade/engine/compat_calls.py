"""One operation that both documents have: what a consumer of one side sends to the provider of the other, and what it gets
back. Every rule of `compat_rules` about calls is decided here or in `compat_schemas`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from crossfade.engine.compat_breaks import MISSING, Fault, Gathered
from crossfade.engine.compat_defaults import followed, json_text
from crossfade.engine.compat_facts import Body, Content, Credentials, Operation, Parameter, Response, types_of
from crossfade.engine.compat_schemas import Schemas, answer, message, request
from crossfade.model.compat import Severity
from crossfade.model.openapi import OpenApiDocument, join
from crossfade.model.ramp import Side

_SCALARS = frozenset({"string", "integer", "number", "boolean"})
_TEXT_LIMITS = frozenset(
    {"enum", "const", "pattern", "format", "minLength", "maxLength", "not", "allOf", "anyOf", "oneOf"}
)


class Calls:
    """Compares operations. `documents` are the stable's and the canary's."""

    def __init__(
        self, documents: tuple[OpenApiDocument, OpenApiDocument], schemas: Schemas, gathered: Gathered, strict: bool
    ) -> None:
        self._documents = documents
        self._schemas = schemas
        self._gathered = gathered
        self._strict = strict

    def compare(self, consumer: Operation, provider: Operation, side: Side) -> None:
        """`consumer` is the operation as the side `side` describes it, `provider` as the other side serves it."""
        if consumer.webhook:
            self._webhook(provider, consumer, side.other)
            return
        name = str(consumer if side is Side.STABLE else provider)
        self._security(consumer, provider, side, name)
        self._parameters(consumer, provider, side, name)
        self._body(consumer, provider, side, name)
        self._responses(provider, consumer, side.other, name)

    # -- what is sent -----------------------------------------------------------------------------------------------

    def _security(self, consumer: Operation, provider: Operation, side: Side, name: str) -> None:
        refused = [one for one in consumer.security if not any(_suffices(one, wanted) for wanted in provider.security)]
        if not refused:
            return
        same = any(_schemes(one) >= _schemes(wanted) for one in refused for wanted in provider.security)
        self._gathered.add(
            Fault(
                "security-scopes" if same else "security-credentials",
                side,
                name,
                "security",
                _ordered(side, consumer.secured, provider.secured),
                what=_alternatives(refused),
                detail=_alternatives(provider.security),
                keyword=f"{_alternatives(refused)} / {_alternatives(provider.security)}",
            )
        )

    def _parameters(self, consumer: Operation, provider: Operation, side: Side, name: str) -> None:
        sent = {(one.place, one.key): one for one in consumer.parameters}
        read = {(one.place, one.key): one for one in provider.parameters}
        for key, one in read.items():
            mine = sent.get(key)
            if one.required and one.place != "path" and (mine is None or not mine.required):
                at = mine.pointer if mine else join(consumer.pointer, "parameters")
                self._add("request-parameter-required", side, name, one.path, _ordered(side, at, one.pointer))
        for key, one in sent.items():
            theirs = read.get(key)
            if theirs is not None:
                self._parameter(one, theirs, side, name)
            elif one.place != "path":
                rule = "request-parameter-ignored" if side is Side.STABLE else "request-parameter-added"
                at = join(provider.pointer, "parameters")
                self._add(rule, side, name, one.path, _ordered(side, one.pointer, at))

    def _parameter(self, sent: Parameter, read: Parameter, side: Side, name: str) -> None:
        pointers = _ordered(side, sent.pointer, read.pointer)
        styles = [_style(one, self._schema(one, at)) for one, at in ((sent, side), (read, side.other))]
        if styles[0] != styles[1]:
            self._add("request-parameter-style", side, name, read.path, pointers, what=styles[0], detail=styles[1])
            return
        mine, theirs = self._schema(sent, side), self._schema(read, side.other)
        if not sent.required and not read.required:
            defaults = [one.get("default", MISSING) if isinstance(one, dict) else MISSING for one in (mine, theirs)]
            if json_text(defaults[0]) != json_text(defaults[1]):
                self._schemas.add_default(read.path, side, name, pointers, defaults[0], defaults[1])
        if not sent.content.media and _any_text(mine, theirs):
            return
        self._schemas.compare(request(read.path), side, sent.content, read.content, name)

    def _schema(self, parameter: Parameter, side: Side) -> Any:
        root = self._documents[side is Side.CANARY].root
        return followed(root, parameter.content.schema, parameter.content.pointer)[0]

    def _body(self, consumer: Operation, provider: Operation, side: Side, name: str) -> None:
        sent, read = consumer.body, provider.body
        places = (
            sent.pointer if sent else consumer.pointer,
            read.pointer if read else provider.pointer,
        )
        pointers = _ordered(side, *places)
        if read is None:
            if sent is not None and sent.contents:
                severity = None if side is Side.STABLE else Severity.INFO
                self._add("request-body-ignored", side, name, "body", pointers, severity=severity)
            return
        if read.required and (sent is None or not sent.required):
            self._add("request-body-required", side, name, "body", pointers)
        if sent is None or not read.contents:
            return
        self._sent_contents(sent, read, side, name, pointers)

    def _sent_contents(self, sent: Body, read: Body, side: Side, name: str, pointers: tuple[str, str]) -> None:
        matches = [(one, matching(one.media, read.contents)) for one in sent.contents]
        known = any(theirs is not None for _, theirs in matches)
        for mine, theirs in matches:
            if theirs is None:
                added = known and side is Side.CANARY  # another way to say what the stable understands otherwise
                self._add(
                    "request-media-type",
                    side,
                    name,
                    "body",
                    pointers,
                    what=mine.media,
                    detail=_medias(read.contents),
                    keyword=mine.media,
                    severity=Severity.WARNING if added else None,
                )
                continue
            self._schemas.compare(request("body"), side, mine, theirs, name)
            if _has_parts(mine.media):
                self._encodings(mine, theirs, side, name)

    def _encodings(self, sent: Content, read: Content, side: Side, name: str) -> None:
        pointers = _ordered(side, sent.pointer, read.pointer)
        for part in dict.fromkeys((*sent.encoding, *read.encoding)):
            mine, theirs = (_encoding(one.encoding.get(part), sent.media) for one in (sent, read))
            accepted = theirs[0].split(", ") if theirs[0] else []
            types = not accepted or not mine[0] or any(_within(mine[0], one) for one in accepted)
            if not types or mine[1:] != theirs[1:]:
                what, detail = (" ".join(filter(None, one)) for one in (mine, theirs))
                self._add("request-encoding", side, name, f"body.{part}", pointers, what=what, detail=detail)

    # -- what comes back ----------------------------------------------------------------------------------------------

    def _responses(self, provider: Operation, consumer: Operation, side: Side, name: str) -> None:
        """`side` is the provider's: it writes."""
        if not consumer.responses:
            return
        unknown: list[Response] = []
        known = 0
        for sent in provider.responses:
            read = _documented(sent.status, consumer.responses)
            if read is None:
                unknown.append(sent)
                continue
            known += _success(sent.status)
            self._response(sent, read, provider.method, side, name)
        good = [one for one in unknown if _success(one.status)]
        codes = ", ".join(one.status for one in consumer.responses)
        if good and not known:
            at = _ordered(side, join(provider.pointer, "responses"), join(consumer.pointer, "responses"))
            what = " or ".join(one.status for one in good)
            self._add("response-success-gone", side, name, "status", at, what=what, detail=codes)
            unknown = [one for one in unknown if one not in good]
        for one in unknown:
            if one.status == "default":
                continue
            severity = None
            if not _success(one.status):
                severity = Severity.WARNING if self._strict else Severity.INFO
            at = _ordered(side, one.pointer, join(consumer.pointer, "responses"))
            self._add(
                "response-status", side, name, "status", at, what=one.status, detail=codes, keyword=one.status,
                severity=severity,
            )  # fmt: skip

    def _response(self, sent: Response, read: Response, method: str, side: Side, name: str) -> None:
        self._headers(sent, read, side, name)
        if method == "HEAD" or not read.contents:
            return
        pointers = _ordered(side, sent.pointer, read.pointer)
        if not sent.contents:
            self._add("response-body-missing", side, name, "body", pointers, what=sent.status)
            return
        matches = [(matching(one.media, sent.contents), one) for one in read.contents]
        met = any(mine is not None for mine, _ in matches)
        for mine, theirs in matches:
            if mine is not None:
                self._schemas.compare(answer("body"), side, mine, theirs, name)
                continue
            added = met and side is Side.STABLE  # another form that consumers of the canary may ask for
            self._add(
                "response-media-type", side, name, "body", pointers, what=theirs.media, detail=_medias(sent.contents),
                keyword=theirs.media, severity=Severity.WARNING if added else None,
            )  # fmt: skip

    def _headers(self, sent: Response, read: Response, side: Side, name: str) -> None:
        headers = {one.key: one for one in sent.headers}
        for theirs in read.headers:
            mine = headers.get(theirs.key)
            if theirs.required and (mine is None or not mine.required):
                at = mine.pointer if mine else join(sent.pointer, "headers")
                pointers = _ordered(side, at, theirs.pointer)
                self._add("response-header-missing", side, name, theirs.path, pointers, what=theirs.name)
            if mine is not None:
                self._schemas.compare(answer(theirs.path), side, mine.content, theirs.content, name)

    def _webhook(self, provider: Operation, consumer: Operation, side: Side) -> None:
        """The provider calls: what it sends must be readable by the consumer."""
        name = str(provider)
        for mine in provider.body.contents if provider.body else ():
            theirs = matching(mine.media, consumer.body.contents) if consumer.body else None
            if theirs is not None:
                self._schemas.compare(message("body"), side, mine, theirs, name)

    def _add(
        self,
        rule: str,
        writer: Side,
        operation: str,
        path: str,
        pointers: tuple[str, str],
        *,
        what: str = "",
        detail: str = "",
        keyword: str = "",
        severity: Severity | None = None,
    ) -> None:
        self._gathered.add(
            Fault(rule, writer, operation, path, pointers, what, detail, keyword=keyword, severity=severity)
        )


# -- media types ------------------------------------------------------------------------------------------------------


def matching(media: str, contents: Sequence[Content]) -> Content | None:
    """The content that takes a media type: named exactly, else by a range. A range takes the first below it."""
    exact = next((one for one in contents if one.media == media), None)
    if exact is not None:
        return exact
    ranges = sorted((one for one in contents if _within(media, one.media)), key=lambda one: one.media.count("*"))
    return next(iter(ranges), None) or next((one for one in contents if _within(one.media, media)), None)


def _within(media: str, wanted: str) -> bool:
    """
    >>> _within("application/json", "application/*"), _within("text/html", "application/*"), _within("a/b", "*/*")
    (True, False, True)
    """
    if wanted in ("*/*", "*", media):
        return True
    return wanted.endswith("/*") and media.split("/")[0] == wanted[:-2]


def _medias(contents: Iterable[Content]) -> str:
    return " or ".join(f"`{one.media}`" for one in contents)


def _has_parts(media: str) -> bool:
    return media.startswith("multipart/") or media == "application/x-www-form-urlencoded"


def _encoding(value: Any, media: str) -> tuple[str, str, str]:
    """Content types, style and explode of a part, as far as they are written or count."""
    value = value if isinstance(value, dict) else {}
    types = ", ".join(part.strip().lower() for part in str(value.get("contentType") or "").split(","))
    style = str(value.get("style") or "form")
    explode = value.get("explode")
    exploded = explode if isinstance(explode, bool) else style == "form"
    return (
        types,
        "" if style == "form" else style,
        "" if exploded == (style == "form") else f"explode {exploded}".lower(),
    )


# -- parameters -------------------------------------------------------------------------------------------------------


def _style(parameter: Parameter, schema: Any) -> str:
    """How a parameter is written, as far as it shows: a number in the query looks the same in every style."""
    if parameter.content.media:
        return f"`{parameter.content.media}`"
    if _composite(schema):
        exploded = "" if parameter.style in ("deepObject", "simple") and not parameter.explode else parameter.explode
        return f"`{parameter.style}`" + (" exploded" if exploded and parameter.style != "deepObject" else "")
    return f"`{parameter.style}`" if parameter.style in ("label", "matrix") else "text"


def _composite(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    known = types_of(schema)
    return bool(known & {"array", "object"}) or (not known and bool(schema.keys() & {"items", "properties"}))


def _any_text(sent: Any, read: Any) -> bool:
    """Whether a parameter that is read as any text meets one number, boolean or text: over the wire all are text."""
    if not isinstance(sent, dict) or not isinstance(read, dict):
        return False
    known = types_of(sent)
    return bool(known) and known <= _SCALARS and read.get("type") == "string" and not read.keys() & _TEXT_LIMITS


# -- answers and credentials --------------------------------------------------------------------------------------------


def _documented(status: str, responses: Sequence[Response]) -> Response | None:
    """What a reader knows of a status. `default` is written for errors: where any success is documented, it says nothing
    about another success."""
    known = {one.status: one for one in responses}
    found = known.get(status) or known.get(f"{status[0]}XX")
    if found is None and status.endswith("XX"):
        found = next((one for one in responses if one.status[0] == status[0] and one.status != "default"), None)
    if found is not None or status == "default":
        return found
    if _success(status) and any(_success(one.status) for one in responses):
        return None
    return known.get("default")


def _success(status: str) -> bool:
    return status[0] in "123"


def _suffices(mine: Credentials, wanted: Credentials) -> bool:
    """Whether a call with `mine` has all that is wanted."""
    have = {name: set(scopes) for name, scopes in mine.schemes}
    return all(name in have and have[name] >= set(scopes) for name, scopes in wanted.schemes)


def _schemes(credentials: Credentials) -> frozenset[str]:
    return frozenset(name for name, _ in credentials.schemes)


def _alternatives(credentials: Iterable[Credentials]) -> str:
    return " or ".join(str(one) or "no credentials" for one in credentials)


def _ordered(writer: Side, sent: str, read: str) -> tuple[str, str]:
    return (sent, read) if writer is Side.STABLE else (read, sent)
