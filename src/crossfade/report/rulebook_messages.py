"""The rule pages of messages and RPCs (Avro, protobuf, GraphQL, AsyncAPI), in the form of `rulebook.PAGES`."""

from __future__ import annotations

MEANING = (
    "During a ramp a message written by one version is read by the other, in both directions: the canary reads"
    " what waits in a queue since yesterday, and the stable reads what the canary sent a second ago."
)

# rule: title, why it hurts during a ramp, example, what to do instead
PAGES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "avro-type-changed": (
        "The reader wants another Avro type than the writer sends",
        "Decoding fails for the whole record, and a consumer that retries stands still on this offset.",
        'writer {"name": "id", "type": "string"}   reader {"name": "id", "type": "long"}',
        (
            (
                "Widen only along the promotions: int to long to float to double, string and bytes; and let "
                "readers go first."
            ),
            "Add a field of the new type with a default beside the old one.",
        ),
    ),
    "avro-field-without-default": (
        "The reader wants a field that the writer does not send",
        "A new required field is fine for its own version and makes every older message unreadable.",
        'writer {}   reader {"name": "currency", "type": "string"}',
        (
            'Give the field a default (`"default": "EUR"`, or a union with null first).',
            "Name the old field in `aliases`.",
        ),
    ),
    "avro-enum-symbol-unknown": (
        "The writer may send a symbol that the reader does not know",
        "Only messages with this symbol fail, which may be the first one in an hour.",
        'writer ["NEW", "PAID", "SENT"]   reader ["NEW", "PAID"]',
        (
            "Give enums a `default` symbol, one version before the first new one.",
            "Write the new symbol at 100% only.",
        ),
    ),
    "avro-union-branch-removed": (
        "The writer may send a branch that the reader's union does not have",
        "As long as nobody sends this branch all is well; the first such message stops the consumer.",
        'writer ["null", "string", "Price"]   reader ["null", "string"]',
        ("Add a branch at the readers first, remove it at the writers first.",),
    ),
    "avro-fixed-size-changed": (
        "A fixed has another size",
        "There is no promotion between sizes: every message with the field is unreadable.",
        "writer fixed(16)   reader fixed(20)",
        ("Use `bytes` where the length may change, or a fixed of another name in a union.",),
    ),
    "avro-name-changed": (
        "A named type has another name at the reader",
        "Avro matches records, enums and fixed by name: the same fields under another name do not match.",
        "writer record Order   reader record Purchase",
        ('Keep the old name in `"aliases": ["Order"]` of the reader.',),
    ),
    "avro-logical-type-changed": (
        "The same bytes are read as another amount or moment",
        "No decoder complains. Prices are a hundred times too large, timestamps lie in 1970.",
        "writer decimal(9, 2)   reader decimal(9, 4)",
        ("A new field for the new unit; the old one stays until its last reader is gone.",),
    ),
    "proto-type-changed": (
        "A field number carries another type",
        (
            "With another wire type the reader sees nothing, with the same one it sees a wrong value; neither "
            "is an error."
        ),
        "writer int32 amount = 1   reader string amount = 1",
        ("A new field with a new number; write both until the last reader of the old one is gone.",),
    ),
    "proto-type-narrowed": (
        "Values that the writer may send do not fit at the reader",
        "Numbers are cut to fewer bits without a word: it takes one id above the limit.",
        "writer int64 id = 1   reader int32 id = 1",
        ("Let every reader widen before the first writer does.",),
    ),
    "proto-number-changed": (
        "A field has another number",
        "On the wire the number is the name: the reader finds nothing, or something else, where it looks.",
        "writer string note = 2   reader string note = 3",
        ("Never renumber. Reserve numbers that are no longer used: `reserved 2;`.",),
    ),
    "proto-label-changed": (
        "The reader takes one value where the writer sends many",
        "All but the last are dropped; packed numbers are not understood at all.",
        "writer repeated string tags = 4   reader string tags = 4",
        ("A new repeated field beside the single one.",),
    ),
    "proto-required": (
        "The reader requires a field that the writer may leave out",
        "A missing required field makes the whole message invalid, not just the field.",
        "writer optional int32 a = 1   reader required int32 a = 1",
        ("Make it optional and check for it in the code.",),
    ),
    "proto-oneof-changed": (
        "The writer may set fields together of which the reader keeps one",
        "The reader clears all members but the last one on the wire: data vanish that were sent.",
        "writer string card = 1; string cash = 2   reader oneof pay { card, cash }",
        ("Put only new fields into a oneof.",),
    ),
    "proto-default-changed": (
        "A field that is left out means something else to the reader",
        "The default is not sent, each side puts in its own.",
        "writer [default = 5]   reader [default = 6]",
        ("Write the value explicitly, in the version before the default changes.",),
    ),
    "proto-json-name": (
        "A field has another name in JSON",
        (
            "Binary messages do not care, gateways and logs that use the JSON mapping lose the field or refuse"
            " the message."
        ),
        "writer orderId   reader id",
        (
            'Keep the JSON name of a renamed field: `[json_name = "orderId"]`.',
            "Tell JSON parsers to ignore unknown fields.",
        ),
    ),
    "proto-reserved-used": (
        "The writer uses a number or name that the reader has reserved",
        ("It is reserved because it once meant something else, perhaps to data or consumers that are still there."),
        "writer string note = 5   reader reserved 5",
        ("Take the next free number.",),
    ),
    "proto-enum-value-unknown": (
        "The writer may send an enum value that the reader does not know",
        ("Proto3 gives the bare number, proto2 hides the value; code that switches over the names does neither."),
        "writer SENT = 2   reader NEW = 0, PAID = 1",
        ("Handle unknown numbers in every reader before the first writer sends one.",),
    ),
    "proto-enum-value-renamed": (
        "A number of an enum has another name",
        "The bytes are the same; whoever meant the old name reads the new meaning.",
        "writer 1 = PAID   reader 1 = SETTLED",
        ("Add the new name with `allow_alias` and remove the old one later.",),
    ),
    "proto-enum-value-renumbered": (
        "A name of an enum has another number",
        "PAID of the one is NEW of the other: the state of an order changes on its way.",
        "writer PAID = 1   reader PAID = 2, NEW = 1",
        ("Append values, never sort or insert them.",),
    ),
    "proto-method-removed": (
        "The newer provider does not have an RPC that the older consumer calls",
        "The call ends in UNIMPLEMENTED for the share of the canary, and works for the rest.",
        "stable calls shop.Orders/Put   canary: unknown method",
        ("Keep the method until the last consumer is gone; a package `v2` lives beside `v1`.",),
    ),
    "proto-method-added": (
        "The older provider does not have an RPC that the newer consumer may call",
        "If the consumer is rolled out first, or the provider rolled back, the call finds nobody.",
        "canary calls shop.Orders/Cancel   stable: unknown method",
        ("Roll out providers first, or let the consumer fall back on UNIMPLEMENTED.",),
    ),
    "proto-streaming-changed": (
        "An RPC streams on one side and not on the other",
        "Clients and servers of the two kinds do not understand each other at all.",
        "stable rpc List(Id) returns (Order)   canary returns (stream Order)",
        ("A new RPC for the stream.",),
    ),
    "proto-message-removed": (
        "The newer side does not know a message that the older one may send",
        "Messages of that kind lie in the queue, or end in the dead letters.",
        "stable sends shop.OrderMade   canary: no such message",
        ("Read it until the queue is empty and its last writer is gone.",),
    ),
    "proto-message-added": (
        "The older side does not know a message that the newer one may send",
        "Where both read from one queue, every second one of them goes to a reader that cannot use it.",
        "canary sends shop.OrderCancelled   stable: no such message",
        ("A topic of its own, or readers that put back what they do not know.",),
    ),
    "graphql-field-removed": (
        "A field that consumers may ask for is gone",
        "One unknown field and the whole query is refused, with everything else that was asked for.",
        "query { order { note } }   canary: Cannot query field note",
        ("`@deprecated` first; remove it when no query names it any more.",),
    ),
    "graphql-type-removed": (
        "A type, a member of a union or an interface is gone",
        "Fragments name types: a query with `... on Refund` is refused as soon as Refund does not exist.",
        "... on Refund { id }   canary: Unknown type Refund",
        ("Keep the type empty-handed until no fragment names it.",),
    ),
    "graphql-field-type-changed": (
        "A field answers with another type",
        "Generated clients decode by the schema they were made from: a null where none was allowed throws.",
        "stable total: Int!   canary total: Int",
        (
            "A new field for the new type.",
            "Make outputs stricter and inputs looser, not the other way round.",
        ),
    ),
    "graphql-argument-removed": (
        "An argument that consumers may send is gone",
        "The query is refused, though the argument may not have mattered.",
        "orders(first: 10)   canary: Unknown argument first",
        ("Accept and ignore it for one rollout.",),
    ),
    "graphql-argument-required": (
        "Something must be sent that older consumers do not know",
        "Every query of the older consumers that uses the field or input is invalid.",
        "canary orders(currency: String!)   stable sends none",
        ("Make it optional, or give it a default value.",),
    ),
    "graphql-argument-type-changed": (
        "An argument or input field has another type",
        ("Variables are checked against the type they are declared with: the query is refused before it runs."),
        "stable filter: String   canary filter: Filter",
        ("A second argument beside the first.",),
    ),
    "graphql-enum-value-removed": (
        "A value that consumers may send is not known to the provider",
        "It is refused as an invalid value, for this user, with this filter only.",
        "orders(status: SENT)   canary: SENT does not exist",
        ("Accept it and treat it as its successor.",),
    ),
    "graphql-enum-value-added": (
        "An answer may hold a value that older consumers do not know",
        "Clients in Swift or Kotlin with closed enums fail to decode the answer.",
        "canary answers status RETURNED   stable knows NEW, PAID",
        ("Add a catch-all case to the clients first.",),
    ),
    "graphql-union-member-added": (
        "An answer may hold a type that older consumers do not know",
        "Their fragments match nothing: an empty object where a result was expected.",
        "canary answers Voucher in union Payment   stable knows Card, Cash",
        ("Let clients handle the rest (`__typename`) before the first one appears.",),
    ),
    "graphql-default-changed": (
        "An argument that is left out means something else",
        "The same query gives two different answers, depending on who serves it.",
        "stable orders(first: Int = 10)   canary first: Int = 50",
        ("Let clients name the value.",),
    ),
    "graphql-directive-changed": (
        "A directive that queries may use is gone or different",
        "Unknown directives make a query invalid.",
        "query { order @cached { id } }   canary: Unknown directive",
        ("Keep it without effect.",),
    ),
    "graphql-optional-added": (
        "There is something optional to send",
        "It is harmless unless the name was used for something else in resolvers.",
        "canary orders(after: String)",
        ("Nothing to do: new options should be optional.",),
    ),
    "graphql-newer-consumer": (
        "A newer consumer may ask for what the older provider does not have",
        "A page of the newer front end that lands on an older server is refused, also after a rollback.",
        "canary asks for order { currency }   stable: Cannot query field",
        ("Roll out the provider before its consumers, and roll back in the other order.",),
    ),
    "asyncapi-value-refused": (
        "The reader refuses a payload that the writer may send",
        "The message is dead for this side: it is retried, parked or dropped.",
        '{"price": 1.5}   stable: price must be an integer',
        ("Readers accept both forms before writers use the new one.",),
    ),
    "asyncapi-open-object": (
        "A property has a type at the reader that the writer may break, though nobody says so",
        (
            "The writer's payload is open, so it could send anything under the name; in practice it mostly "
            "sends nothing."
        ),
        "writer {}   reader {price: integer}",
        ("Describe the payload completely, or close it with `additionalProperties: false`.",),
    ),
    "asyncapi-undecided": (
        "It could not be decided whether a payload is accepted",
        "It may fit and it may not; the run will show what really travels.",
        "not: {pattern: ...} against another pattern",
        ("Give sample messages, or a simpler schema.",),
    ),
    "asyncapi-content-type-changed": (
        "A message has another content type",
        "Whoever expects the one cannot parse a byte of the other.",
        "stable application/json   canary application/avro",
        ("A new channel for the new encoding, written by both until the old one is empty.",),
    ),
    "asyncapi-channel-removed": (
        "The canary does not know a channel that the stable uses",
        "What the stable still sends there has no reader when the last stable is gone.",
        "orders.made   stable only",
        ("Keep reading the old channel until it is drained.",),
    ),
    "asyncapi-channel-added": (
        "The stable does not know a channel that the canary uses",
        "After a rollback nobody reads what the canary has sent.",
        "orders.cancelled   canary only",
        ("Make the reader of a new channel part of the version before its writer.",),
    ),
    "asyncapi-message-removed": (
        "The canary does not know a message of a channel that the stable sends",
        "Both read the same channel: the canary meets it as long as one stable lives.",
        "orders: OrderTouched   stable only",
        ("Ignore it knowingly in the newer version.",),
    ),
    "asyncapi-message-added": (
        "The stable does not know a message of a channel that the canary sends",
        "Half of these messages go to a stable, which must do something with them.",
        "orders: OrderCancelled   canary only",
        ("Teach the stable to skip unknown kinds, in a version before this one.",),
    ),
}
