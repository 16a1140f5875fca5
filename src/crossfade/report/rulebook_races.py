"""The rule pages of the checks `race` and `sql`, in the form of `rulebook.PAGES`. An example of a race has a column for
each of the two that run at the same time; time goes down."""

from __future__ import annotations

# rule: title, why it hurts during a ramp, example, what to do instead
PAGES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "mixed-race": (
        "Each version is right alone, but together they lose updates or block each other",
        (
            "Each version protects its data in its own way, and the other does not know that way. Load tests of "
            "either version stay clean; during the ramp money, stock or seats go wrong on a few busy rows, without an "
            "error and without a trace. It is worst in the middle of the ramp and gone when the ramp is over."
        ),
        (
            "withdraw 30 on stable                withdraw 50 on canary\n"
            "                                     SELECT balance, version  -> 100, 7\n"
            "SELECT balance FOR UPDATE  -> 100\n"
            "UPDATE SET balance = 70\n"
            "COMMIT\n"
            "                                     UPDATE SET balance = 50, version = 8\n"
            "                                       WHERE id = 1 AND version = 7  -> 1 row\n"
            "                                     COMMIT   balance 50 instead of 20"
        ),
        (
            (
                "One locking discipline in both versions until the ramp is over: lock the row and count the version "
                "up, whichever of the two a side relies on itself."
            ),
            (
                "A unique index instead of check-then-insert (`INSERT ... ON CONFLICT`): it binds both versions, and "
                "the later call can answer 409."
            ),
            "A lock keeps its key and its place; where it must be renamed, take the old and the new one meanwhile.",
            "Lock several rows in the same order in both versions, best by their key.",
            "Change in one statement what can be: `SET balance = balance - 30 WHERE balance >= 30`.",
        ),
    ),
    "stable-race": (
        "Two calls at the same time go wrong on the stable alone",
        (
            "The rollout did not cause it and need not wait for it. But a mix with such a pair cannot be judged: "
            "what is lost in it may be the stable's old fault. And what the stable did twice a day can become "
            "frequent when the canary is slower, or faster, at the same place."
        ),
        (
            "reserve on stable                    reserve on stable\n"
            "SELECT left  -> 1\n"
            "                                     SELECT left  -> 1\n"
            "UPDATE SET left = 0  COMMIT\n"
            "                                     UPDATE SET left = 0  COMMIT\n"
            "201                                  201      one piece, sold twice"
        ),
        (
            "Repair it in a version of its own, before the ramp: `SELECT ... FOR UPDATE`, or read and write at once.",
            "See whether the canary still has it: then it is listed for the canary as well.",
        ),
    ),
    "canary-race": (
        "Two calls at the same time go wrong on the canary alone",
        (
            "A plain regression, but one that no test with a single user shows. It grows with the square of the "
            "canary's weight, so the first stages look clean and the last one is the worst."
        ),
        (
            "sign up on canary                    sign up on canary\n"
            "SELECT WHERE mail = 'a@x'  -> 0 rows\n"
            "                                     SELECT WHERE mail = 'a@x'  -> 0 rows\n"
            "INSERT  COMMIT\n"
            "                                     INSERT  COMMIT\n"
            "201                                  201      two accounts with one address"
        ),
        (
            "Do not start the ramp: bring back what protected this in the stable, or its equal in the canary.",
            "Let the database decide: a unique index, an exclusion constraint, a foreign key.",
            "A retry after `could not serialize` has to read again what it decides on.",
        ),
    ),
    "phase-race": (
        "A migration that is running undoes what calls write, or stops them",
        (
            "In a test the migration runs on quiet data, in production it takes an hour among live calls. Whoever "
            "changes a row between its reading and its writing is overwritten; whoever meets its locks waits. It "
            "concerns the busiest rows, and nothing tells afterwards which."
        ),
        (
            "rename on stable                     backfill\n"
            "                                     SELECT id, name WHERE display IS NULL\n"
            "UPDATE SET name = 'Ada King',\n"
            "  display = 'Ada King'  COMMIT\n"
            "                                     UPDATE SET display = 'Ada' WHERE id = 7\n"
            "                                     COMMIT   the new name is gone"
        ),
        (
            (
                "An idempotent backfill in one statement, which looks again at what it overwrites: "
                "`UPDATE ... SET display = name WHERE display IS NULL`."
            ),
            "If it must think in between: lock what it reads (`FOR UPDATE SKIP LOCKED`), in small batches.",
            "Take locks on tables briefly: `lock_timeout`, `NOT VALID` and `CONCURRENTLY`, and try again.",
        ),
    ),
    "stable-sql": (
        "The stable sends a statement its own schema does not accept",
        (
            "Something catches the error, or the call fails where nobody looks. The check can say nothing about "
            "this statement in later phases: it was never sound."
        ),
        "SELECT discount FROM orders WHERE id = $1   stable   before   no such column",
        (
            "Mend or remove the statement before the ramp; often it is a fallback for a schema of long ago.",
            "If a table is made at run time, let the scenario run through the call that makes it.",
        ),
    ),
    "canary-sql": (
        "The canary sends a statement that the schema it starts on does not accept",
        (
            "It takes the schema of a later phase for granted. Calls that come to this statement fail from the first "
            "stage on, or take a slow way round without a word, until the migration that it waits for."
        ),
        "INSERT INTO orders (id, currency) VALUES ($1, $2)   canary   first   no such column",
        (
            "Bring the migration that adds the column forward, before the first stage with the canary.",
            "Or let the canary ask once at its start which columns there are, and write accordingly.",
        ),
    ),
    "phase-sql": (
        "A live side sends a statement the moved schema does not accept any more",
        (
            "The migration takes away what a version in service still names. It fails at once, at every weight, and "
            "only in the calls that use this statement: a nightly job or a rare page may find it days later."
        ),
        (
            "UPDATE orders SET price = $1 WHERE id = $2   stable   before     accepted\n"
            "UPDATE orders SET price = $1 WHERE id = $2   stable   contract   no such column"
        ),
        (
            "Drop or rename a column only when no live side names it: in a stage where the stable is gone.",
            "For a rename keep both names for the ramp, by a generated column or a view with the old name.",
            "If the ORM names all columns (`SELECT a, b, c`), tell it in the version before to ignore this one.",
        ),
    ),
    "rollback-sql": (
        "After rollback the stable's statements meet a schema they do not fit",
        (
            "The canary is content, so nobody tries the old statements on the new schema until they are needed. "
            "Then the stable comes back and fails on the first call that sends one."
        ),
        (
            "SELECT price FROM orders WHERE id = $1   stable   before                   accepted\n"
            "SELECT price FROM orders WHERE id = $1   stable   rollback from contract   no such column"
        ),
        (
            "Let `rollback: { until: ... }` end before the stage whose migration takes the column away.",
            "Or move that migration into the rollout after this one, when nobody goes back that far.",
        ),
    ),
}
