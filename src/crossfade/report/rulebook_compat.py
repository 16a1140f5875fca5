"""The rule pages of `crossfade compat`. The rules themselves (severity, wording) are in `engine.compat_rules`.

A rule says what goes over the wire and what its reader minds; which version writes and which reads is said in each
break. Examples have the stable's document on top, then the canary's, then what crosses.
"""

from __future__ import annotations

# rule: title, meaning, why it hurts during a ramp, example, what to do instead
PAGES: dict[str, tuple[str, str, str, str, tuple[str, ...]]] = {
    "operation-removed": (
        "The canary no longer has an operation",
        "The stable's document describes an operation (a method and a path) that the canary's does not. Parameters may "
        "be called otherwise and the prefix may stand in `servers` or in the paths. One that was deprecated and is past "
        "its `x-sunset` is a warning; an `x-sunset` that names a stage of the ramp ends it there.",
        "Consumers of the stable are not rolled out with the service. From the first percent on some of their calls "
        "meet the canary and get a 404, and a retry may work, so nobody sees why.",
        "stable   DELETE /orders/{id}\ncanary   (not there)\ncall     DELETE /orders/7   404 from the canary",
        (
            "Keep it in the canary, deprecated, and take it out in the version after.",
            "Announce the end with `deprecated: true` and an `x-sunset`, and wait for it.",
        ),
    ),
    "operation-added": (
        "The stable does not know an operation of the canary",
        "The canary's document describes an operation that the stable's does not. Nobody has to call it, so it is a "
        "warning.",
        "A page that the canary has handed out, or a client that was built for it, calls the operation while most "
        "calls still go to the stable; after a rollback all of them do.",
        "stable   (not there)\ncanary   POST /orders/{id}/cancel\ncall     POST /orders/7/cancel   404 from the stable",
        (
            "Switch the feature that calls it on when the ramp is over.",
            "Keep users on one side (`stickiness`), and allow rollback only as long as nobody uses it.",
        ),
    ),
    "operation-deprecated": (
        "The canary announces the end of an operation",
        "The canary's document marks an operation as `deprecated` or gives it an `x-sunset` that the stable's has not.",
        "Nothing breaks in this ramp. It is told because the next one is the one that will remove it.",
        "canary   GET /v1/orders   deprecated: true, x-sunset: 2027-03-01",
        ("Say in the description what takes its place.", "Count who still calls it before the sunset comes."),
    ),
    "webhook-removed": (
        "The canary stopped calling a webhook",
        "The stable's document describes a webhook that the canary's does not.",
        "Events are sent by whichever side handled the call, so during the ramp a growing share of them never arrives.",
        "stable   webhooks: orderPaid\ncanary   (not there)",
        ("Send the event from both versions until its consumers have something else.",),
    ),
    "base-path-changed": (
        "The versions serve below different prefixes",
        "The `servers` of the two documents have no path prefix in common, although the paths below are the same. "
        "Operations are compared all the same.",
        "Whether a call reaches the other version depends on a gateway that rewrites paths, which no document shows.",
        "stable   servers: [{ url: https://api.example.com/v1 }]\ncanary   servers: [{ url: https://api.example.com/v2 }]",
        (
            "Serve the old prefix from the canary as well while the ramp lasts.",
            "If a gateway rewrites it, write the same `servers` into both documents.",
        ),
    ),
    "request-parameter-required": (
        "A parameter is demanded that the consumer may leave out",
        "A query, header or cookie parameter is required by the document of the version that reads the call, and "
        "missing or optional in the document its consumer was built for.",
        "The call that works on one side is refused (mostly 400) by the other, at a rate that follows the weight.",
        "stable   GET /orders ?limit\ncanary   GET /orders ?limit ?tenant (required)\n"
        "call     GET /orders?limit=20   400 from the canary",
        (
            "Make it optional with a default now, required in a later version.",
            "Where the stable demands what the canary dropped: let consumers go on sending it.",
        ),
    ),
    "request-parameter-ignored": (
        "A parameter of the stable is without effect on the canary",
        "Consumers of the stable may send a parameter that the canary's document does not know any more. Most services "
        "ignore such a parameter.",
        "Nothing fails, but a filter that does not filter returns other people's orders in a share of the calls.",
        "stable   GET /orders ?status\ncanary   GET /orders\ncall     GET /orders?status=open   all orders, from the canary",
        (
            "Keep the parameter until its consumers are gone.",
            "If it must go, answer 400 where it is sent: an error is found, a wrong list is not.",
        ),
    ),
    "request-parameter-added": (
        "A new parameter is without effect on the stable",
        "The canary's document has an optional parameter that the stable's has not. It is information: the stable "
        "ignores what it does not know.",
        "A consumer of the canary gets the narrowed answer from one side and the whole from the other.",
        "stable   GET /orders\ncanary   GET /orders ?since\ncall     GET /orders?since=2026-01-01   all, from the stable",
        ("Let consumers check what they get, or use it when the ramp is over.",),
    ),
    "request-parameter-style": (
        "A parameter is written in another way than it is read",
        "`style`, `explode` or the media type of a parameter differ, and its values are lists or objects, so the same "
        "value looks different on the wire.",
        "The other version sees one value with commas in it, or only the last of several: rarely an error, mostly a "
        "wrong result.",
        "stable   ?ids=1&ids=2      (form, exploded)\ncanary   ?ids=1,2          (form)",
        ("Read both ways during the ramp.", "Give the new way a parameter of its own."),
    ),
    "request-body-required": (
        "A body is demanded that the consumer may leave out",
        "The reading version says `requestBody.required: true`; in the consumer's document the body is optional or not "
        "there.",
        "Calls without a body are refused by one side only.",
        "stable   POST /jobs   (no body)\ncanary   POST /jobs   requestBody: { required: true }",
        ("Treat a missing body as an empty one until the ramp is over.",),
    ),
    "request-body-ignored": (
        "A body is sent that nobody reads",
        "The consumer's document describes a body for this call, the other version's document none.",
        "What the consumer says in it is lost without an error in a share of the calls.",
        "stable   DELETE /orders/{id}   { reason }\ncanary   DELETE /orders/{id}",
        ("Go on reading it, even if only to log that somebody still sends it.",),
    ),
    "request-media-type": (
        "A body comes in a media type that is not taken",
        "A media type of the consumer's document is not among those of the reading version, also not by a range such "
        "as `application/*`. A second form that only the canary takes is a warning.",
        "The call ends with 415 on one side. Clients seldom try another form.",
        "stable   application/x-www-form-urlencoded\ncanary   application/json\ncall     amount=5   415 from the canary",
        ("Take both media types for the time of the ramp.",),
    ),
    "request-encoding": (
        "A part of a form is written in another way than it is read",
        "The `encoding` of a part of a multipart or form body (content type, style, explode) differs.",
        "The part arrives as a text where an object was expected, in calls that cross versions only.",
        "stable   encoding: { meta: { contentType: application/json } }\n"
        "canary   encoding: { meta: { contentType: text/csv } }",
        ("Keep the encoding of parts that exist; a new encoding belongs to a new part.",),
    ),
    "request-required-field": (
        "A field is demanded that the consumer may leave out",
        "The schema of the reading version requires a property that the consumer's does not. `readOnly` properties are "
        "never demanded in requests.",
        "This is the classic of a ramp: the canary's form sends the field, yesterday's page does not, and the same "
        "button works or fails by the weight. The other way round (the canary made it optional) its consumers fail on "
        "the stable, and on all of it after a rollback.",
        'stable   required: [sku]\ncanary   required: [sku, currency]\ncall     POST /orders {"sku": "A1"}   400',
        (
            "Add it as optional with a default, and require it one version later.",
            "To drop a required field, let both versions accept calls without it first.",
        ),
    ),
    "request-extra-field": (
        "A field is sent that the reader refuses",
        "The consumer's schema allows a property that the schema of the reading version forbids, by "
        "`additionalProperties: false`, `propertyNames` or the like.",
        "Consumers of the canary send the new field from the first minute; the stable, closed, answers 400.",
        "stable   properties: { sku }, additionalProperties: false\ncanary   properties: { sku, gift }\n"
        'call     {"sku": "A1", "gift": true}   400 from the stable',
        (
            "Teach the stable to accept the field in a version before.",
            "Leave requests open: ignore what is not known.",
        ),
    ),
    "request-type": (
        "A value is sent in a type the reader refuses",
        "The JSON types the consumer's schema allows are not all among those of the reading version.",
        "Whoever was built for the other version gets a 400 or, worse, a value that is silently converted.",
        'stable   amount: { type: integer }\ncanary   amount: { type: string }\ncall     {"amount": 500}   400',
        ("Accept both types while both versions live.", "Put the new type into a field of a new name."),
    ),
    "request-enum-value": (
        "A value is sent that the reader does not know",
        "An `enum` or `const` of the reading version has not every value the consumer's schema allows.",
        "A new choice in the canary's form fails wherever the stable gets the call; a removed one fails for "
        "everybody with an old page.",
        'stable   enum: [standard]\ncanary   enum: [standard, express]\ncall     {"shipping": "express"}   400',
        (
            "First a version that accepts the value, then one that offers it.",
            "Remove a value the other way: stop offering it, wait, then stop accepting it.",
        ),
    ),
    "request-limit": (
        "A value is sent beyond the limits of the reader",
        "A limit (range, length, number of items, multiple, uniqueness) of the reading version is narrower than what "
        "the consumer's schema allows.",
        "It fails for the few values between the two limits, so it passes every test and surfaces with real data.",
        "stable   name: { maxLength: 200 }\ncanary   name: { maxLength: 64 }",
        ("Widen limits on the reader first.", "Narrow them only when no consumer sends more: measure it."),
    ),
    "request-format": (
        "A text is sent in a form the reader refuses",
        "A `pattern` or `format` of the reading version does not accept every text the consumer's schema allows.",
        "Old clients send the old form until they are updated, which no rollout controls.",
        'stable   phone: { type: string }\ncanary   phone: { type: string, pattern: "^\\\\+[0-9]+$" }',
        ("Accept the old form and normalise it.",),
    ),
    "request-schema": (
        "A value is sent that the schema of the reader refuses",
        "The consumer's schema allows a value that the schema of the reading version does not, by a combination "
        "(`oneOf`, `anyOf`, `not`, `if`) or another keyword; the witness is such a value.",
        "Variants of a body are added and removed as whole branches; a consumer sends one that the other side has "
        "never heard of.",
        'stable   oneOf: [Card]\ncanary   oneOf: [Card, Wallet]\ncall     {"kind": "wallet"}   400 from the stable',
        ("Let readers know a variant one version before anybody writes it.",),
    ),
    "request-open-field": (
        "A name that was free has got a type in requests",
        "The consumer's object is open, and the reading version gives one of the names it does not mention a type. "
        "Strictly a consumer could send anything there. It is forgiven unless readers are strict.",
        "It hurts only where consumers send fields of their own and one happens to have this name.",
        'stable   properties: { sku }\ncanary   properties: { sku, note: { type: string } }\ncall     {"note": 7}   400',
        ("Nothing, mostly. Where consumers add fields of their own, choose a name that is not theirs.",),
    ),
    "request-undecided": (
        "Whether requests are accepted could not be decided",
        "Neither a proof nor a value that is refused was found for this pair of schemas. It is no pass: the verdict is "
        "`unknown` where nothing worse was found.",
        "What cannot be decided here is seen in the run, if a scenario makes the call.",
        'stable   pattern: "^(?=.*[0-9]).{8,}$"\ncanary   pattern: "^(?=.*[a-z]).{8,}$"',
        ("Write the two schemas alike where they mean the same.", "Make a scenario that sends the value in question."),
    ),
    "default-changed": (
        "What is left out means something else",
        "A `default` of a parameter or of a field of a request differs between the versions.",
        "A call without it is answered in two ways, by the weight: pages of 20 and of 50, and a cursor that fits one.",
        "stable   limit: { default: 20 }\ncanary   limit: { default: 50 }\ncall     GET /orders",
        ("Change defaults only together with a new parameter.", "Let consumers that care send the value."),
    ),
    "response-status": (
        "An answer has a status its reader does not know",
        "The writing version documents a status that the consumer's document does not, neither itself nor by a range. "
        "A new error is information, a new success a warning.",
        "Clients branch on the status. 202 instead of 200 reads as done when it is not.",
        'stable   200\ncanary   200, 202\nanswer   202 {"job": 7}   to a consumer of the stable',
        ("Keep the codes of existing calls, and offer the new behaviour on request (`Prefer: respond-async`).",),
    ),
    "response-success-gone": (
        "Success has another status than its reader knows",
        "None of the success codes of the writing version is known to the consumer.",
        "Clients that test for one code treat every success of the other version as a failure, and repeat the call.",
        'stable   201\ncanary   200\nanswer   200 {"id": 7}   to a consumer that waits for 201',
        ("Keep the code. A cleaner one is worth a new version of the path, not a ramp.",),
    ),
    "response-media-type": (
        "An answer is not given in the media type its reader asks for",
        "The consumer's document names a media type for this answer that the writing version does not give. A second "
        "form that only the canary gives is a warning.",
        "The call ends with 406, or with a body the client cannot parse.",
        "stable   application/json, text/csv\ncanary   application/json\ncall     Accept: text/csv   406 from the canary",
        ("Offer the form until nobody asks for it.",),
    ),
    "response-body-missing": (
        "An answer has no body where its reader expects one",
        "The consumer's document describes a body for this status, the writing version's does not.",
        "Clients parse an empty text and fail far from the cause.",
        "stable   200 { Order }\ncanary   200 (no content)",
        ("Go on sending the body; 204 belongs to a new operation.",),
    ),
    "response-header-missing": (
        "A header its reader needs may be missing",
        "The consumer's document requires a header of the answer that the writing version does not promise.",
        "Paging, caching or locking that hangs on the header works with one side only.",
        "stable   headers: { ETag: { required: true } }\ncanary   headers: {}",
        ("Send it from both versions while both live.",),
    ),
    "response-required-field": (
        "A field its reader needs may be missing",
        "The consumer's schema requires a property that the writing version may leave out. `writeOnly` properties are "
        "never demanded of answers.",
        "Renamed and removed fields hit consumers of the stable as soon as the canary answers. A new required field "
        "hits consumers of the canary for as long as the stable answers, and after every rollback.",
        'stable   required: [id, price]\ncanary   required: [id]\nanswer   {"id": 7}   to a consumer that needs `price`',
        (
            "Send old and new field side by side until the ramp is over.",
            "Declare a new field optional in the first version that sends it.",
            "If it is meant, declare it under `changes` of the contract.",
        ),
    ),
    "response-null": (
        "A value may be null that its reader never saw null",
        "The writing version allows null where the consumer's schema does not.",
        "Null passes parsing and fails later, in a template or a sum, only for the rows where it occurs.",
        'stable   price: { type: integer }\ncanary   price: { type: [integer, "null"] }',
        ("Leave the field out if readers may miss it.", "Release readers that expect null first."),
    ),
    "response-type": (
        "A value comes in a type its reader does not read",
        "The JSON types the writing version may answer are not all among those of the consumer's schema.",
        'Typed clients refuse the whole answer, others add 500 and "500".',
        'stable   id: { type: integer }\ncanary   id: { type: string }\nanswer   {"id": "7"}',
        ("Put the new type into a new field and keep the old one.",),
    ),
    "response-enum-value": (
        "A value comes that its reader does not know",
        "The writing version may answer a value that is not in the consumer's `enum` or `const`. It is a warning, since "
        "readers often cope; for strict readers it is an error.",
        "Closed readers (generated clients, a switch without a default) fail on the whole answer, and old rows keep "
        "the value after a rollback.",
        'stable   enum: [open, paid]\ncanary   enum: [open, paid, refunded]\nanswer   {"status": "refunded"}',
        (
            "Hold the value back until rollback is over: show it as the nearest old one.",
            "Describe enums of answers as open (a plain string with the known values in the text).",
        ),
    ),
    "response-limit": (
        "A value comes that is beyond what its reader was told",
        "A limit in the consumer's schema is narrower than what the writing version may answer. Tolerant readers do "
        "not check limits, so it is a warning for them.",
        "Columns overflow, layouts break and caches refuse, for the largest values only.",
        "stable   name: { maxLength: 64 }\ncanary   name: { maxLength: 200 }",
        ("Let readers take the larger limit one version earlier.",),
    ),
    "response-format": (
        "A text comes in a form its reader was not told of",
        "A `pattern` or `format` in the consumer's schema is not met by every text the writing version may answer.",
        "What is parsed (dates, links, money) fails in the reader, with the form of one version only.",
        "stable   created: { format: date-time }\ncanary   created: { type: string }",
        ("Keep the form; a new one belongs into a new field.",),
    ),
    "response-extra-field": (
        "A field comes that a strict reader refuses",
        "The writing version may answer a property that the consumer's schema forbids. Tolerant readers look over it; "
        "this is told for `reader: strict`.",
        "Generated clients that fail on unknown properties fail on every answer of the canary.",
        "stable   properties: { id }, additionalProperties: false\ncanary   properties: { id, tags }",
        ("Configure clients to ignore what they do not know.", "Add the field to the readers first."),
    ),
    "response-schema": (
        "A value comes that the schema of its reader refuses",
        "The writing version may answer a value that the consumer's schema does not accept, by a combination "
        "(`oneOf`, `anyOf`, `not`, `if`) or another keyword; the witness is such a value.",
        "A new variant in a list spoils the whole list for readers that do not know it.",
        "stable   items: { oneOf: [Card] }\ncanary   items: { oneOf: [Card, Wallet] }",
        ("Filter new variants out for readers that did not ask for them.",),
    ),
    "response-open-field": (
        "A name that was free has got a type in answers",
        "The writing version's object is open, and the consumer's schema gives one of the names it does not mention a "
        "type. Strictly the writer could answer anything there. It is forgiven unless readers are strict.",
        "It hurts only where answers carry fields that are in no document.",
        "stable   properties: { id }\ncanary   properties: { id, tags: { type: array } }",
        ("Nothing, mostly. Describe all fields of answers, and it cannot occur.",),
    ),
    "response-undecided": (
        "Whether answers can be read could not be decided",
        "Neither a proof nor a value that cannot be read was found for this pair of schemas. The verdict is `unknown` "
        "where nothing worse was found.",
        "What stays open here is looked at in the run: each answer is held against both documents.",
        'stable   pattern: "^(?=.*[0-9]).+$"\ncanary   pattern: "^(?=.*[a-z]).+$"',
        ("Write the schemas alike where they are meant alike.", "Run the ramp with a scenario that reads the value."),
    ),
    "security-credentials": (
        "A call comes with credentials that are not accepted",
        "None of the alternatives the reading version accepts (`security`) is fulfilled by what the consumer's document "
        "tells it to bring. Schemes are compared by what they demand, not by their names.",
        "The call is refused with 401 by one side only: users seem logged in and out by turns.",
        "stable   security: [{ apiKey }]\ncanary   security: [{ oauth }]\ncall     X-Api-Key: ...   401 from the canary",
        ("Accept both until consumers have moved.",),
    ),
    "security-scopes": (
        "A call comes without a scope that is demanded",
        "The scheme is the same, but the reading version demands scopes the consumer's document does not ask for.",
        "Tokens in use were issued before the ramp and have the old scopes until they expire: 403 from one side.",
        "stable   oauth: [orders:read]\ncanary   oauth: [orders:read, prices:read]",
        ("Grant the scope to every consumer, wait for old tokens to expire, then demand it.",),
    ),
}
