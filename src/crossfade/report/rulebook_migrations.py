"""The rule pages of migrations, in the form of `rulebook.PAGES`. An example: the migration, then what a side gets."""

from __future__ import annotations

MEANING = (
    "A migration of the ramp leaves a schema that a side which is still alive, or comes back by a rollback, "
    "cannot work with. It was carried out on a scratch copy of the schema, or on paper where no PostgreSQL was"
    " at hand."
)

# rule: title, why it hurts during a ramp, example, what to do instead
PAGES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "migration-drop-table": (
        "A table or view that a live side was made for is gone",
        "Every statement that names it fails at once, at every weight, on each instance of the older side.",
        ("DROP VIEW paid_orders;\nSELECT id FROM paid_orders   stable   relation does not exist"),
        (
            "Drop it in a stage where the stable is gone and `rollback: { until: ... }` has ended.",
            "Leave a view of the old name over the new table until then.",
        ),
    ),
    "migration-drop-column": (
        "A column that a live side was made for is gone",
        (
            "ORMs name every column of their model, so even calls that never use this one fail. The newer side"
            " does not notice, and nobody tries the older one again until a rollback."
        ),
        ("ALTER TABLE orders DROP COLUMN price;\nSELECT id, price FROM orders   stable   column does not exist"),
        (
            ("Stop naming the column in one version, drop it in the next: a stage of its own after the last stable."),
            "End the rollback window before the stage that drops it.",
        ),
    ),
    "migration-rename": (
        "Something a live side names has another name",
        ("A rename is a drop and a create in one moment: one of the two versions is wrong before, the other after."),
        ("ALTER TABLE users RENAME name TO display_name;\nUPDATE users SET name = $1   stable   column does not exist"),
        (
            ("Add the new column, keep both in step by a trigger, drop the old one when its version is gone."),
            "For a table: rename it and give its old name to a view that can be written.",
        ),
    ),
    "migration-drop-function": (
        "A function that statements call is gone or has another signature",
        ("PostgreSQL resolves a call when the statement is prepared: the older side fails on its next new connection."),
        ("DROP FUNCTION with_tax(numeric);\nSELECT with_tax($1)   stable   function does not exist"),
        (
            "Add the new signature as an overload beside the old one.",
            "Drop the old function a rollout later.",
        ),
    ),
    "migration-drop-type": (
        "A type that statements may cast to is gone",
        "Drivers look types up by name when they connect, and casts name them in the text.",
        ("DROP TYPE mood;\nSELECT $1::mood   stable   type does not exist"),
        ("Keep the type until no live version casts to it; an unused type costs nothing.",),
    ),
    "migration-drop-sequence": (
        "A sequence that numbers are drawn from is gone",
        "The older side asks for its numbers by name, often before it inserts: every insert fails.",
        ("DROP SEQUENCE ticket_number;\nSELECT nextval('ticket_number')   stable   relation does not exist"),
        ("Let both versions draw from the old sequence until the ramp is over.",),
    ),
    "migration-not-null": (
        "A column must be given that the older side leaves out, or writes as NULL",
        "Reads go on, so the stage looks healthy; every insert of the older side is refused.",
        (
            "ALTER TABLE orders ADD currency text NOT NULL;\n"
            "INSERT INTO orders (id) VALUES (1)   stable   null value refused"
        ),
        (
            "Add it nullable or with a default, and make it NOT NULL when the older side is gone.",
            "Or fill it by a BEFORE INSERT trigger for as long as the older side writes.",
        ),
    ),
    "migration-nullable": (
        "A column may be NULL that the older side takes for filled",
        ("The newer side writes a row without it, and the older side, which never had to check, fails on reading it."),
        ("ALTER TABLE users ALTER name DROP NOT NULL;\nname.strip()   stable, on a row of the canary   NoneType"),
        (
            "Let the newer side go on writing the column until no older one reads it.",
            "A trigger can fill it from what has taken its place.",
        ),
    ),
    "migration-type-changed": (
        "A column holds another kind of value",
        (
            "Drivers bind parameters and convert results by the column's type: the older side writes a form "
            "that is refused and reads one it does not expect."
        ),
        (
            "ALTER TABLE orders ALTER amount TYPE text;\n"
            "UPDATE orders SET amount = amount + 1   stable   operator does not exist"
        ),
        (("Add a column of the new type beside the old one, keep both in step, and drop the old one later."),),
    ),
    "migration-type-narrowed": (
        "Values that fitted into a column are refused",
        ("The data of today fits, so the migration runs; the next long name that reaches the older side does not."),
        (
            "ALTER TABLE users ALTER phone TYPE varchar(15);\n"
            "UPDATE users SET phone = $1 -- 20 characters   stable   value too long"
        ),
        (
            ("Teach the limit to the application first, and set it in the database when only that version is left."),
            "Find out with a count of the rows that would not fit.",
        ),
    ),
    "migration-type-widened": (
        "A column can hold more than the older side can",
        ("Nothing fails until the newer side writes the first value above the old limit and the older side reads it."),
        ("ALTER TABLE orders ALTER id TYPE bigint;\nid 2147483648   written by canary, overflows an int32 of stable"),
        ("Use the new range only after the older side is gone.",),
    ),
    "migration-default-changed": (
        "An INSERT that leaves a column out means something else",
        (
            "The older side relies on the default without naming it: its rows get the newer meaning, and no "
            "error is seen."
        ),
        (
            "ALTER TABLE users ALTER tier SET DEFAULT 'gold';\n"
            "INSERT INTO users (name) VALUES ('Ada')   stable   tier gold"
        ),
        (
            "Let the newer side name the value in its INSERT and leave the default alone during the ramp.",
            "Change the default in the contract phase.",
        ),
    ),
    "migration-column-not-writable": (
        "A column or table can no longer be written",
        ("A view or generated column in the old place keeps reads alive, so the fault shows on the first write only."),
        (
            "name text GENERATED ALWAYS AS (display) STORED;\n"
            "UPDATE users SET name = $1   stable   can only be updated to DEFAULT"
        ),
        (
            "Keep two plain columns and a trigger that carries a write of either to the other.",
            "Give the view INSTEAD OF triggers.",
        ),
    ),
    "migration-check-added": (
        "A new condition refuses rows the older side may write",
        (
            "NOT VALID spares the rows that are there, not those that are written next: the rule binds both "
            "versions at once."
        ),
        (
            "ALTER TABLE orders ADD CHECK (amount > 0);\n"
            "INSERT INTO orders (amount) VALUES (0)   stable   violates check"
        ),
        (
            "Ship the version that keeps the rule, then add the constraint when it is alone.",
            "For the ramp, count violations in a `state` rule instead of refusing them.",
        ),
    ),
    "migration-check-loosened": (
        "A column may hold values that were impossible",
        "The newer side starts to write them, and the older side meets them in a switch without a default.",
        ("CHECK (tier IN ('basic', 'gold', 'iron'));\ntier iron   written by canary, unknown to stable"),
        (
            "Give the older side a way to live with unknown values a version earlier.",
            "Write the new value only at 100%.",
        ),
    ),
    "migration-unique-added": (
        "Something must be unique that the older side does not keep unique",
        "The older side writes its second row with the same value and gets an error it has no answer for.",
        (
            "CREATE UNIQUE INDEX ON users (lower(name));\n"
            "INSERT INTO users (name) VALUES ('ada')   stable   duplicate key"
        ),
        ("Let a version that handles the conflict take over completely before the index is made unique.",),
    ),
    "migration-unique-dropped": (
        "Something need not be unique any more",
        (
            "`ON CONFLICT (mail)` of the older side has no index to refer to and fails; lookups that expect "
            "one row find two."
        ),
        ("DROP INDEX users_mail;\nINSERT ... ON CONFLICT (mail) DO NOTHING   stable   no matching constraint"),
        (
            "Build the index that takes its place first, over the same columns.",
            "Drop the old one in the contract phase.",
        ),
    ),
    "migration-foreign-key-added": (
        "Rows must have a counterpart that the older side does not make sure of",
        "The older side may write children first, or delete parents; both are refused now.",
        (
            "ALTER TABLE lines ADD FOREIGN KEY (order_id) REFERENCES orders;\n"
            "DELETE FROM orders WHERE id = 7   stable   refused"
        ),
        (
            ("Make it `ON DELETE CASCADE` or `SET NULL` where rows of the newer side refer to what the older deletes."),
            "Add it when only the version that keeps the order of writes is left.",
        ),
    ),
    "migration-constraint-dropped": (
        "A foreign key no longer does what the older side relies on",
        ("A version that deletes an order and trusts the cascade leaves its lines behind, for others to find."),
        (
            "ALTER TABLE lines DROP CONSTRAINT lines_order_id_fkey;\n"
            "DELETE FROM orders WHERE id = 7   stable   lines stay"
        ),
        ("Keep the constraint until the version that deletes the children itself is the only one.",),
    ),
    "migration-enum-value-added": (
        "An enum has a value that the older side does not know",
        ("The newer side writes it, the older side reads the row: decoders of closed enums throw, lists become 500s."),
        ("ALTER TYPE status ADD VALUE 'returned';\nGET /orders on stable   unknown status returned"),
        (
            ("Let the newer side write the value only after the older one is gone (a flag, or the next version)."),
            "Or map it for the older side: a view, or its nearest old value in the column it reads.",
        ),
    ),
    "migration-enum-value-renamed": (
        "A value of an enum has another name",
        "Both names cannot live: the older side writes and compares with one that no longer exists.",
        ("ALTER TYPE status RENAME VALUE 'new' TO 'open';\nWHERE status = 'new'   stable   invalid input value"),
        (
            (
                "Add the new value, write it from the next version on, and rewrite old rows when nobody reads "
                "the old name."
            ),
        ),
    ),
    "migration-enum-value-removed": (
        "A value of an enum is gone",
        "Rows were converted, but the older side still writes the value and asks for it.",
        (
            "CREATE TYPE status AS ENUM ('new', 'paid'); -- without sent\n"
            "UPDATE orders SET status = 'sent'   stable   invalid"
        ),
        ("Stop writing the value in one version and remove it in another, in the contract phase.",),
    ),
    "migration-row-security": (
        "Rows are out of reach for a role",
        (
            "The older side does not set what the policies ask for, so rows vanish without an error: it "
            "answers 404 and empty lists, and inserts are refused."
        ),
        ("ALTER TABLE orders ENABLE ROW LEVEL SECURITY;\nSELECT * FROM orders   stable   0 rows"),
        (
            ("Begin with a policy that lets everybody through, and replace it when all sides set their tenant."),
            "Give the newer side a role of its own and write policies for that role.",
        ),
    ),
    "migration-rights-revoked": (
        "A role may no longer do what the older side does",
        (
            "Rights are not part of a model, so tests that connect as the owner never see it. A recreated "
            "table has none at all."
        ),
        ("REVOKE UPDATE ON orders FROM app;\nUPDATE orders SET note = $1   stable   permission denied"),
        (
            "Grant the new rights first, revoke the old ones in the contract phase.",
            "After CREATE TABLE or CREATE VIEW in the place of another: grant what the old one had.",
        ),
    ),
    "migration-partition-detached": (
        "A partition is no longer part of its table",
        (
            "The older side asks the parent: rows of that range are missing from its answers, and new ones "
            "have no place."
        ),
        ("ALTER TABLE events DETACH PARTITION events_2025;\nSELECT count(*) FROM events   stable   fewer"),
        ("Detach what no live version reads any more, after the ramp, or keep a default partition.",),
    ),
    "migration-trigger-dropped": (
        "A trigger that works for the older side is gone",
        ("Its writes succeed, and what the trigger did for them (the new column, a counter, a log) stays undone."),
        ("DROP TRIGGER both_names ON users;\nUPDATE users SET name = $1   stable   display_name keeps the old value"),
        (("Drop the trigger in the stage after the last one in which the older side may write, rollbacks counted."),),
    ),
    "migration-trigger-added": (
        "A new trigger or rule may refuse or change what the older side writes",
        (
            "It was written with the newer side in mind; an exception in it is an error of a call that was "
            "fine yesterday."
        ),
        ("RAISE EXCEPTION 'no customer';\nINSERT INTO orders (amount) VALUES (5)   stable   no customer"),
        ("Let the trigger repair or log during the ramp, and refuse from the contract phase on.",),
    ),
    "migration-function-changed": (
        "A function does something else for the older side as well",
        ("`CREATE OR REPLACE` changes it for every caller in the same moment, whatever the weight of the ramp."),
        ("CREATE OR REPLACE FUNCTION with_tax ...;\nSELECT with_tax(100)   stable   119 instead of 120"),
        ("Give the new behaviour a new name and let the newer side call that.",),
    ),
    "migration-index-dropped": (
        "Queries of the older side lose an index",
        ("Nothing fails, but what took a millisecond reads the whole table, and the pool of connections runs dry."),
        ("DROP INDEX orders_customer;\nSELECT * FROM orders WHERE customer_id = $1   stable   Seq Scan"),
        ("Drop an index when `pg_stat_user_indexes` shows that nobody used it for a full day at 100%.",),
    ),
    "migration-rows-removed": (
        "Rows that the older side still reads are removed",
        "What a migration deletes is gone for both versions, and a rollback does not bring it back.",
        ("TRUNCATE sessions;\nGET /me on stable   401 for everybody"),
        (
            "Mark the rows first and delete them after the ramp.",
            "Copy them aside, so that the rollback has something to restore.",
        ),
    ),
    "migration-backfill-unsynchronised": (
        "A backfill copies once what the older side goes on writing",
        (
            "It is right for the moment it runs in. Every row the older side writes afterwards has the old "
            "form alone: the newer side finds NULL or a stale copy, on a few rows, for as long as both are "
            "alive."
        ),
        ("UPDATE users SET display = upper(name);\nINSERT INTO users (name) VALUES ('Eve')   stable   display NULL"),
        (
            ("A trigger that fills the new form on every write, made before the backfill; or a generated column."),
            (
                "Let the newer side read the old form where the new one is missing, and run the backfill again"
                " at the end."
            ),
        ),
    ),
    "migration-locks-table": (
        "Calls wait while a table is read under a lock",
        (
            "The lock itself takes a moment, the work under it takes as long as the table is large, and behind"
            " the waiting statement every later one queues: an outage of both versions."
        ),
        (
            "ALTER TABLE orders ALTER note SET NOT NULL;\n"
            "SELECT * FROM orders   stable and canary   wait until all rows are read"
        ),
        (
            "`ADD CONSTRAINT ... NOT VALID`, then `VALIDATE CONSTRAINT` in a transaction of its own.",
            "A unique index built `CONCURRENTLY`, then `ADD CONSTRAINT ... USING INDEX`.",
            "Never mix a change of a table and a backfill in one transaction; set `lock_timeout`.",
        ),
    ),
    "migration-rewrites-table": (
        "A table is written anew under an exclusive lock",
        ("Nobody reads or writes it meanwhile. On the test data it takes a blink, on ten million rows minutes."),
        ("ALTER TABLE orders ALTER id TYPE bigint;\nSELECT 1 FROM orders LIMIT 1   stable and canary   wait"),
        (
            "A new column without default, filled in batches, and swapped when it is complete.",
            "A default that is one value for all rows (PostgreSQL stores it once), set per row later.",
        ),
    ),
    "migration-index-blocks-writes": (
        "Writes wait until an index is built",
        "Reads go on, so dashboards stay green while every INSERT and UPDATE of both versions hangs.",
        ("CREATE INDEX orders_note ON orders (note);\nINSERT INTO orders ...   stable and canary   waits"),
        ("`CREATE INDEX CONCURRENTLY`, in a file of its own: it cannot run in a transaction.",),
    ),
    "migration-statement-fails": (
        "PostgreSQL refuses a statement that a live side was seen sending",
        "This is no guess: the statement was prepared before the migration and is refused after it.",
        "PREPARE s AS SELECT price FROM orders   after contract   column does not exist",
        (
            "Move what takes the name away into a stage where this side is gone.",
            "Keep the name by a view or a second column.",
        ),
    ),
    "migration-squawk": (
        "A linter has something to say about a lock",
        "It knows many ways in which a statement holds up others, and not who is alive: take it as a hint.",
        "squawk (changing-column-type): This change requires an ACCESS EXCLUSIVE lock",
        ("Read its advice; `crossfade compat` with a scratch database shows whether the lock is held for long.",),
    ),
    "migration-fails": (
        "A migration does not run on the schema of its stage",
        "A rollout that stops half way is the longest mix of versions there is.",
        "stage contract: ERROR: column orders.total does not exist",
        (
            "Run the stages in the order of the contract on an empty database before the rollout.",
            "Make files repeatable (`IF NOT EXISTS`) where a tool may have run them already.",
        ),
    ),
}
