"""The rules of `crossfade compat` in one table: what can be wrong between a writer and a reader, how bad it is, and how it
is said. `report.rulebook_compat` has the page of each.

A rule does not ask which version is the newer one. It names what goes over the wire (a request, an answer) and what the
reader minds; who writes and who reads stands in the `Break`. Severity depends on how strict readers of answers are.
"""

from __future__ import annotations

import msgspec

from crossfade.model.compat import Crossing, Severity

_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO


class Rule(msgspec.Struct, frozen=True):
    """`tolerant` and `strict` are the severities for the two kinds of readers. `wording` is one sentence with `{writer}`,
    `{reader}` ("stable"), `{path}`, `{what}`; `advice` what to do instead, in one sentence."""

    id: str
    crossing: Crossing
    tolerant: Severity
    strict: Severity
    wording: str
    advice: str

    def severity(self, strict: bool) -> Severity:
        return self.strict if strict else self.tolerant


_REQUEST, _RESPONSE = Crossing.REQUEST, Crossing.RESPONSE

_TABLE = (
    # -- operations
    Rule(
        "operation-removed", _REQUEST, _E, _E,
        "a consumer of the stable calls `{what}`, and the canary has it no more",
        "keep the operation until no consumer of the stable is left, at least to the end of the rollback window",
    ),
    Rule(
        "operation-added", _REQUEST, _W, _W,
        "a consumer of the canary may call `{what}`, and the stable does not know it",
        "let consumers call it only once all traffic is on the canary and rollback is over",
    ),
    Rule(
        "operation-deprecated", _REQUEST, _I, _I,
        "the canary deprecates `{what}`{detail}",
        "tell consumers what takes its place, and by when",
    ),
    Rule(
        "base-path-changed", _REQUEST, _W, _W,
        "a consumer of the {writer} calls paths below {what}, the {reader} serves below {detail}",
        "serve both prefixes during the ramp, or see that the gateway rewrites them",
    ),
    Rule(
        "webhook-removed", Crossing.MESSAGE, _W, _W,
        "consumers of the stable wait for the {what}, and the canary does not call it any more",
        "keep calling it until no consumer waits for it",
    ),
    # -- requests
    Rule(
        "request-parameter-required", _REQUEST, _E, _E,
        "the {reader} demands `{path}`, and a consumer of the {writer} may leave it out",
        "make it optional with a default until the ramp is over",
    ),
    Rule(
        "request-parameter-ignored", _REQUEST, _W, _W,
        "a consumer of the {writer} may send `{path}`, and the {reader} does not know it any more",
        "keep it until no consumer of the stable is left: what is ignored is not an error, but not an answer either",
    ),
    Rule(
        "request-parameter-added", _REQUEST, _I, _W,
        "a consumer of the {writer} may send `{path}`, which the {reader} does not know yet",
        "expect it to be without effect while the stable serves calls",
    ),
    Rule(
        "request-parameter-style", _REQUEST, _E, _E,
        "`{path}` is written as {what} by a consumer of the {writer} and read as {detail} by the {reader}",
        "keep the way it is written, or add a parameter of another name",
    ),
    Rule(
        "request-body-required", _REQUEST, _E, _E,
        "the {reader} demands a body, and a consumer of the {writer} may send none",
        "accept calls without a body until the ramp is over",
    ),
    Rule(
        "request-body-ignored", _REQUEST, _W, _W,
        "a consumer of the {writer} may send a body, and the {reader} does not take one",
        "keep reading the body until no consumer is left that sends one",
    ),
    Rule(
        "request-media-type", _REQUEST, _E, _E,
        "a consumer of the {writer} may send `{what}`, and the {reader} takes {detail}",
        "take both media types during the ramp",
    ),
    Rule(
        "request-encoding", _REQUEST, _E, _E,
        "the part `{path}` is written as {what} by a consumer of the {writer} and read as {detail} by the {reader}",
        "keep the encoding of existing parts",
    ),
    Rule(
        "request-required-field", _REQUEST, _E, _E,
        "the {reader} demands `{path}`, and a consumer of the {writer} may leave it out",
        "make it optional with a default until the ramp is over",
    ),
    Rule(
        "request-extra-field", _REQUEST, _E, _E,
        "a consumer of the {writer} may send `{path}`, and the {reader} refuses fields it does not know",
        "let the stable accept the field first, or send it only once rollback is over",
    ),
    Rule(
        "request-type", _REQUEST, _E, _E,
        "a consumer of the {writer} may send {what} as `{path}`, and the {reader} refuses that type",
        "accept both types during the ramp, or take a new field",
    ),
    Rule(
        "request-enum-value", _REQUEST, _E, _E,
        "a consumer of the {writer} may send {what} as `{path}`, a value the {reader} does not know",
        "let both versions accept the value before anybody sends it",
    ),
    Rule(
        "request-limit", _REQUEST, _E, _E,
        "a consumer of the {writer} may send {what} as `{path}`, beyond what the {reader} allows",
        "widen limits in the version before, narrow them in the version after",
    ),
    Rule(
        "request-format", _REQUEST, _E, _E,
        "a consumer of the {writer} may send {what} as `{path}`, in a form the {reader} refuses",
        "accept both forms during the ramp",
    ),
    Rule(
        "request-schema", _REQUEST, _E, _E,
        "a consumer of the {writer} may send {what} as `{path}`, and the {reader} refuses it",
        "accept what both versions' consumers send until the ramp is over",
    ),
    Rule(
        "request-open-field", _REQUEST, _I, _W,
        "the {reader} gives `{path}` a type; consumers of the {writer} never heard of it, but nothing forbids them to send "
        "something else under that name",
        "nothing, unless consumers are known to send fields of their own",
    ),
    Rule(
        "request-undecided", _REQUEST, _W, _W,
        "whether the {reader} accepts every `{path}` of a consumer of the {writer} could not be decided: {what}",
        "compare the two places by eye, or write the schemas alike",
    ),
    Rule(
        "default-changed", _REQUEST, _W, _W,
        "without `{path}` the {writer} means {what}, the {reader} {detail}",
        "keep the default, or let consumers say what they want before it changes",
    ),
    # -- answers
    Rule(
        "response-status", _RESPONSE, _W, _E,
        "the {writer} may answer {what}, and consumers of the {reader} know {detail}",
        "keep the status codes of existing calls",
    ),
    Rule(
        "response-success-gone", _RESPONSE, _E, _E,
        "the {writer} answers success with {what}, and consumers of the {reader} know {detail} only",
        "keep the status code of success",
    ),
    Rule(
        "response-media-type", _RESPONSE, _E, _E,
        "consumers of the {reader} may ask for `{what}`, and the {writer} answers {detail}",
        "offer both media types during the ramp",
    ),
    Rule(
        "response-body-missing", _RESPONSE, _E, _E,
        "the {writer} answers {what} without a body, and consumers of the {reader} read one",
        "keep the body until no reader is left",
    ),
    Rule(
        "response-header-missing", _RESPONSE, _E, _E,
        "the {writer} may answer without the header `{what}`, which consumers of the {reader} need",
        "send it from both versions before anybody needs it",
    ),
    Rule(
        "response-required-field", _RESPONSE, _E, _E,
        "the {writer} may answer without `{path}`, which consumers of the {reader} need",
        "send it from every version that lives, or let readers do without it one version earlier",
    ),
    Rule(
        "response-null", _RESPONSE, _E, _E,
        "the {writer} may answer null as `{path}`, and consumers of the {reader} do not expect null",
        "leave null out, or let readers expect it one version earlier",
    ),
    Rule(
        "response-type", _RESPONSE, _E, _E,
        "the {writer} may answer {what} as `{path}`, a type that consumers of the {reader} do not read",
        "keep the type, and put the new one into a new field",
    ),
    Rule(
        "response-enum-value", _RESPONSE, _W, _E,
        "the {writer} may answer {what} as `{path}`, a value that consumers of the {reader} do not know",
        "teach readers to expect unknown values, or hold the new one back until rollback is over",
    ),
    Rule(
        "response-limit", _RESPONSE, _W, _E,
        "the {writer} may answer {what} as `{path}`, beyond what consumers of the {reader} were told",
        "keep answers within the narrower limits until the ramp is over",
    ),
    Rule(
        "response-format", _RESPONSE, _W, _E,
        "the {writer} may answer {what} as `{path}`, in a form that consumers of the {reader} were not told of",
        "keep the form, and put the new one into a new field",
    ),
    Rule(
        "response-extra-field", _RESPONSE, _I, _E,
        "the {writer} may answer with `{path}`, and strict consumers of the {reader} refuse fields they do not know",
        "nothing for tolerant readers; strict ones have to learn the field first",
    ),
    Rule(
        "response-schema", _RESPONSE, _E, _E,
        "the {writer} may answer {what} as `{path}`, which consumers of the {reader} cannot read",
        "keep answers such that readers of both versions understand them",
    ),
    Rule(
        "response-open-field", _RESPONSE, _I, _W,
        "consumers of the {reader} know `{path}` by its type; the {writer} never heard of it, but nothing forbids it to "
        "answer something else under that name",
        "nothing, unless answers carry fields that are not described",
    ),
    Rule(
        "response-undecided", _RESPONSE, _W, _W,
        "whether consumers of the {reader} can read every `{path}` of the {writer} could not be decided: {what}",
        "compare the two places by eye, or write the schemas alike",
    ),
    # -- security
    Rule(
        "security-credentials", _REQUEST, _E, _E,
        "a consumer of the {writer} comes with {what}, and the {reader} demands {detail}",
        "accept the credentials of both versions until the ramp is over",
    ),
    Rule(
        "security-scopes", _REQUEST, _E, _E,
        "a consumer of the {writer} comes with {what}, and the {reader} demands {detail}",
        "grant the new scopes to every consumer before the ramp begins",
    ),
)  # fmt: skip

RULES: dict[str, Rule] = {rule.id: rule for rule in _TABLE}

_LIMITS = frozenset(
    [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "contains",
        "minContains",
        "maxContains",
    ]
)
_EXTRA = frozenset(
    ["additionalProperties", "unevaluatedProperties", "propertyNames", "patternProperties", "falseSchema", "false"]
)


def schema_rule(crossing: Crossing, keyword: str, witness_is_null: bool) -> str:
    """The rule for a schema that does not contain another, by the keyword of the reader that refuses.

    >>> schema_rule(Crossing.RESPONSE, "maxLength", False), schema_rule(Crossing.REQUEST, "oneOf", False)
    ('response-limit', 'request-schema')
    """
    prefix = "response" if crossing is Crossing.RESPONSE else "request"
    if keyword in ("required", "dependentRequired"):
        return f"{prefix}-required-field"
    if witness_is_null and prefix == "response":
        return "response-null"
    if keyword == "type":
        return f"{prefix}-type"
    if keyword in ("enum", "const"):
        return f"{prefix}-enum-value"
    if keyword in _LIMITS:
        return f"{prefix}-limit"
    if keyword in ("pattern", "format", "contentEncoding", "contentMediaType"):
        return f"{prefix}-format"
    if keyword in _EXTRA:
        return f"{prefix}-extra-field"
    return f"{prefix}-schema"
