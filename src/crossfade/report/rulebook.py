"""The texts of the rule pages: for each rule a title, why it hurts during a ramp, an example, and what to do instead.

A rule's name is who is to blame and which check looked. What a check looks for and how blame is decided is said once,
in `CHECKS` and `BLAMES`; everything else belongs to the pair, since a lost value hurts otherwise in a rollback than in
an old bug. Columns of an example: call, side, stage, what came.
"""

from __future__ import annotations

CHECKS = {
    "status": (
        "A call ended without the answer it should have: a 5xx, a timeout, a closed connection, errors inside "
        "a GraphQL 200, or a refusal such as 403 or 404 of a call that the stable alone allows."
    ),
    "shape": (
        "Somebody who may get this answer cannot read it: a field that was always there is missing, a JSON type was "
        "never seen or promised, an enum has a value its reader does not know. Readers are the consumers of both "
        "sides where the contract names OpenAPI documents, else the stable's, by what its own runs showed. New fields "
        "are fine."
    ),
    "expectation": "An `expect` of the scenario does not hold. These are the contract's own words.",
    "rule": (
        "A behaviour listed under `rules` does not hold at a stage inside its window (`from` to `until`). "
        "Rules say what must stay true for how long, whichever side answers."
    ),
    "sameness": (
        "The answer has the right form, but a value in it that no run on one side alone explains. Ids, clocks, "
        "version strings and fields that already differ between identical runs were set aside first; `changes` "
        "was respected."
    ),
    "state": (
        "A query under `state` saw rows that must not be there. The data are wrong even if every answer looked right."
    ),
    "migration": (
        "A migration of the ramp failed on data that calls had left. On the data of the schema alone it works, "
        "or the run would have ended before with code 4."
    ),
    "restart": (
        "A side was started afresh at a stage, as happens when a node is drained. It did not become ready, or "
        "it answers otherwise than the instance that was kept running."
    ),
    "sql": (
        "Every statement a side was seen sending is prepared, not run, on the schema of each phase that side lives "
        "through. The database does not accept one of them: a table or column is gone, renamed or of another type. No "
        "call had to meet it there, and what only fails with certain values is not seen this way."
    ),
    "race": (
        "Two calls at the same time on the same data, or a call and a running migration. What they answered and left "
        "is compared with every order of one after the other, and no order explains it."
    ),
}

# kind of a race: what was seen
KINDS = {
    "lost": "the answers and rows fit no order: an update is gone, something exists twice, a cache keeps an old value",
    "deadlock": "each waits for a lock the other holds, and the database ends one of them",
    "refused": "a call fails (500, duplicate key, could not serialize) that is never refused one after the other",
    "stuck": "a call never ends: it waits for something that nobody will let go any more",
}

BLAMES = {
    "stable": (
        "It happens with the stable alone, before anything moved: an old fault. It is told and does not decide the "
        "verdict."
    ),
    "canary": (
        "It happens with the canary alone, at the first stage it serves: a plain regression, not a fault of mixing."
    ),
    "mixed": "It takes both sides: all-stable and all-canary runs are clean, and each version's own tests would be.",
    "phase": (
        "One side alone is enough, but only once the shared data have moved this far; before the ramp the call worked."
    ),
    "rollback": "It needs traffic that goes back to the stable after the canary has served; the way forward is clean.",
}

# rule: title, why it hurts during a ramp, example, what to do instead
PAGES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "stable-status": (
        "The stable already fails this call",
        (
            "The rollout did not cause it, but it hides things: whatever comes after the failed call cannot be "
            "judged, and in a dashboard the errors look like the canary's."
        ),
        "POST /orders/7/pay   stable   before   500 division by zero",
        (
            "Repair it in a version of its own, before the ramp, so that the ramp changes one thing.",
            (
                "If the scenario asks for something the stable never offered, take the step out or give the "
                "scenario other data."
            ),
        ),
    ),
    "stable-shape": (
        "The stable breaks its own description",
        (
            "Consumers live with the answer as it is, not as it is written down. If the canary starts to follow "
            "the document, it breaks them; if it keeps the old form, the document stays wrong."
        ),
        ('GET /orders/7   stable   before   200 {"amount": "5.00"}\n    openapi-1.2.3.yaml promises a number'),
        (
            "Correct the OpenAPI document of the stable: it should describe what is really answered.",
            "The same breach on the canary is then judged by the corrected document, not forgiven as old.",
        ),
    ),
    "stable-expectation": (
        "An expectation fails before the ramp begins",
        (
            "An expectation that fails on the version in production says nothing about the rollout. As long as it "
            "fails, a real change at the same place cannot be told from it."
        ),
        ('GET /orders/7   stable   before   200 {"amount": 5.01}\n    expect: body.amount == 500'),
        (
            "Check the expression against a real answer first; a unit or a name is often the reason.",
            "If the expression is right, the stable is wrong: mend it before the ramp.",
        ),
    ),
    "stable-rule": (
        "A rule does not hold before the ramp begins",
        (
            "A rule protects consumers while two versions serve. One that the stable breaks alone protects nobody: "
            "they have never had what it promises."
        ),
        (
            'GET /orders/7   stable   before   200 {"total": 5}\n'
            "    rule: the legacy price stays, expect: has(body.price)"
        ),
        (
            "If the behaviour begins with a later stage, give the rule a `from`.",
            "If it should always have been there, the stable needs a repair before the ramp.",
        ),
    ),
    "stable-sameness": (
        "The stable gives answers its own earlier runs do not explain",
        (
            "Sameness compares with repeated runs of the stable. Where two instances of it disagree, replicas "
            "probably keep state of their own, and the ramp (which always has several instances) will show it more "
            "often."
        ),
        ('POST /carts    stable   before   201 {"id": 3}\nGET /carts/3   stable   before   200 {"items": []}'),
        (
            "Look for state in the process: caches, counters, sessions that a second instance cannot see.",
            "Move it to a store both instances share, or route a user to one instance.",
        ),
    ),
    "stable-state": (
        "The stable leaves rows that a state rule forbids",
        (
            "The migrations of the ramp meet these rows. A backfill that trusts the rule, or a NOT NULL in the "
            "contract phase, fails on data that were wrong long before."
        ),
        ("POST /orders   stable   before   201\n    select count(*) from orders where currency is null  ->  1"),
        (
            "If the state is only reached by a migration, give the rule a `from`.",
            "Otherwise count such rows in production, and let the backfill treat them.",
        ),
    ),
    "canary-status": (
        "The canary fails this call by itself",
        (
            "Every share of traffic it gets fails by that share: at 1% it looks like noise, at 70% it is an "
            "outage. No careful ramp makes it better."
        ),
        ("POST /orders        canary   first   201\nGET /orders/7/pdf   canary   first   500 no such template"),
        (
            "Do not start the ramp: repair the canary, its tests should have caught this.",
            (
                "If it is a refusal that is meant (the call is retired), the stable's clients must be gone before "
                "the first stage."
            ),
        ),
    ),
    "canary-shape": (
        "The canary's answers cannot be read by the stable's consumers",
        (
            "Clients are not on the ramp: those written for the stable get the canary's answer as soon as it has "
            "any weight, and nobody can choose which of their calls it serves."
        ),
        (
            'GET /orders/7   stable   before   200 {"amount": 500}\n'
            'GET /orders/7   canary   first    200 {"amount": "5.00"}'
        ),
        (
            "Add the new form under a new name and keep the old field as it is; remove it in a later rollout.",
            "A new enum value counts as well: let clients learn it before it is sent.",
            "If every consumer is known and ready, declare the difference under `changes`.",
        ),
    ),
    "canary-expectation": (
        "The canary breaks an expectation of the scenario",
        (
            "The contract says in its own words what this call must do, and the new version does not do it, alone "
            "and in any mix."
        ),
        ('POST /orders   canary   first   200 {"id": 7}\n    expect: status == 201'),
        (
            ("Repair the canary, or change the expectation if the new behaviour is what is wanted on both sides."),
            "To allow one answer per version, write it: `status in [200, 201]`.",
        ),
    ),
    "canary-rule": (
        "The canary drops a behaviour that has to last",
        (
            "The rule's window says how long others rely on it. They keep relying on it while the canary serves a "
            "part of their calls, so they meet the gap now and then, which is harder to find than always."
        ),
        (
            'GET /orders/7   canary   first   200 {"price_cents": 500}\n'
            "    rule: the legacy price stays until everyone has moved"
        ),
        (
            (
                "Keep the old behaviour in the canary until the rule's `until` is past, and drop it in the version "
                "after."
            ),
            "If nobody relies on it any more, close the window earlier.",
        ),
    ),
    "canary-sameness": (
        "The canary alone answers otherwise than it did alone",
        (
            "Runs on the canary only do not agree among each other or with the time before a call. What a user "
            "sees then depends on which instance answers, even at 100%."
        ),
        ('POST /carts    canary   all   201 {"id": 3}\nGET /carts/3   canary   all   200 {"items": []}'),
        (
            "Look for state that only the process knows, or work that is finished after the answer.",
            "A difference that is meant belongs under `changes` with the version since which it holds.",
        ),
    ),
    "canary-state": (
        "The canary leaves rows that a state rule forbids",
        (
            "Rows outlive the ramp. Even if the canary is taken back after a minute, what it wrote stays, and the "
            "next migration or the stable has to live with it."
        ),
        ("POST /orders   canary   first   201\n    select count(*) from orders where currency is null  ->  1"),
        (
            "Repair what the canary writes; the answer alone does not show it.",
            "If it already ran in production, find the rows by the time of the stage before the next attempt.",
        ),
    ),
    "mixed-status": (
        "A call fails because the other version served an earlier one",
        (
            "One call on each side is enough: the first leaves something the second cannot take. At 30% that meets "
            "about a fifth of all users who do both, and the errors may be counted on the healthy side."
        ),
        ('POST /orders    canary   third   201\nGET /orders/7   stable   third   500 unknown status "created"'),
        (
            ("Let the canary write what the stable can read until the stable is gone; switch in the version after."),
            "If only one user's own calls are concerned, stickiness by user or session keeps them on one side.",
            ("A refusal (401, 403, 404) points at sessions, tokens or cursors made by one side for its own eyes."),
        ),
    ),
    "mixed-shape": (
        "An answer loses its form when both versions had a hand in it",
        (
            "Each version reads its own rows well. Data of the other leave holes: a field is null or gone in "
            "answers about rows the other side wrote, and clients crash on the few users who have such rows."
        ),
        (
            "POST /orders    stable   third   201\n"
            'GET /orders/7   canary   third   200 {"currency": null}\n'
            "    the canary alone always answered a string"
        ),
        (
            "Give the reader a default for rows it did not write itself.",
            "Or fill the new column by a trigger or a default in the database while the stable still writes.",
        ),
    ),
    "mixed-expectation": (
        "An expectation fails only when both versions take part",
        (
            "The scenario is what your users do, and its words hold on either version. They fail by which version "
            "serves which call, so a canary analysis sees a small, constant loss that never becomes an alarm."
        ),
        (
            "POST /orders    canary   third   201\n"
            'GET /orders/7   stable   third   200 {"note": ""}\n'
            "    expect: body.note == 'ring twice'"
        ),
        (
            ("Follow the cause from the first call it names: what did it write, and where does the other side look?"),
            "Write both places (dual write) until the stable is gone, then read the new one only.",
        ),
    ),
    "mixed-rule": (
        "A rule breaks only when both versions take part",
        (
            "A behaviour with a lifetime is a promise to others for exactly the time when two versions serve. Here "
            "it holds for each of them and not for the pair."
        ),
        (
            "POST /orders    canary   most   201\n"
            'GET /orders/7   stable   most   200 {"id": 7}\n'
            "    rule: the amount stays, expect: has(body.amount)"
        ),
        (
            "Keep the old field filled by the canary as long as the rule's window is open.",
            "If the rule may end earlier, move its `until` before the first stage with both sides.",
        ),
    ),
    "mixed-sameness": (
        "A value is lost or changed between the versions",
        (
            "No error, no odd status, the right form: only the content is wrong. Monitoring stays green while notes "
            "vanish, prices change their unit, or an update of one side undoes the other's. Whoever looks only for "
            "errors misses about a third of the faults between versions."
        ),
        (
            'POST /orders    canary   third   201 {"note": "ring twice"}\n'
            'GET /orders/7   stable   third   200 {"note": null}'
        ),
        (
            "Write and read both the old and the new place until the stable is gone.",
            "If a value changed its unit or meaning, give it a new name; the old name keeps its old meaning.",
            "Cache entries and jobs of a new format get a new key or queue.",
            "Only if the difference is wanted on every path: declare it under `changes`.",
        ),
    ),
    "mixed-state": (
        "The two versions together leave rows that a state rule forbids",
        (
            "Each version keeps its books in order. Where one half of a change is made by the stable and the other "
            "half by the canary, something is written twice or not at all, and it stays after the ramp."
        ),
        (
            "POST /orders         canary   third   201\n"
            "POST /orders/7/pay   stable   third   200\n"
            "    select count(*) from orders where currency is null  ->  1"
        ),
        (
            (
                "Let the database keep the rule where it can (a default, a trigger, a constraint that is not yet "
                "validated)."
            ),
            "Or let both versions write the field until the contract phase.",
        ),
    ),
    "phase-status": (
        "A call fails since the data have moved",
        (
            "A migration is all at once: from that moment every call of this side fails, whatever the weight says. "
            "If it is the stable, lowering the weight to 0% makes it worse."
        ),
        'POST /orders/7/pay   stable   contract   500 column "price" does not exist',
        (
            ("Let a migration take away only what no live side uses: expand first, contract when the stable is gone."),
            ("If the stable may come back, the way back has to end before this stage: `rollback: { until: ... }`."),
        ),
    ),
    "phase-shape": (
        "Answers change their form when the data move",
        (
            "Nobody deployed anything at that moment, so nobody looks at clients. They see the new form on all "
            "calls of this side at once."
        ),
        (
            'GET /orders/7   stable   before     200 {"amount": 5}\n'
            'GET /orders/7   stable   backfill   200 {"amount": "500 EUR"}'
        ),
        (
            "Leave the columns a live side reads as they are and migrate into new ones.",
            "Views and `select *` show new columns at once; name the columns in the stable's queries.",
        ),
    ),
    "phase-expectation": (
        "An expectation fails since the data have moved",
        (
            "It held before the ramp and holds no more on this side in this phase, for all its calls and at every "
            "weight."
        ),
        ('GET /orders/7   stable   backfill   200 {"amount": 500}\n    expect: body.amount == 5'),
        (
            "Check what the migration did to rows this side still reads in the old way.",
            "If the expectation should change with the data, turn it into a rule with `from` and `until`.",
        ),
    ),
    "phase-rule": (
        "A rule breaks since the data have moved",
        "The rule's window covers this stage, so somebody still relies on it when the migration takes it away.",
        ('GET /orders/7   canary   contract   200 {"id": 7}\n    rule: the legacy price stays, until: contract'),
        (
            "Run the migration after the window has closed, or close the window before it.",
            "Where both are fixed, keep what the rule needs and remove it in the next rollout.",
        ),
    ),
    "phase-sameness": (
        "The same call gives other values since the data have moved",
        (
            "Rows from before the ramp are read by code that was not changed, and come out different: a half-done "
            "backfill, a changed default, a unit. In production it concerns every old row."
        ),
        ('POST /orders    stable   before   201 {"amount": 500}\nGET /orders/7   canary   first    200 {"amount": 0}'),
        (
            (
                "Compare the migration with what the live sides read: which rows does it leave out, which does it "
                "touch twice?"
            ),
            (
                "Rows written between the backfill and the last stable call need it as well: run it again, or "
                "dual-write."
            ),
        ),
    ),
    "phase-state": (
        "A migration leaves rows that a state rule forbids",
        (
            "The next stage builds on that state. What is wrong after the backfill becomes a failing constraint or "
            "lost rows in the contract phase."
        ),
        (
            "POST /orders   stable   before   201\n"
            "(migration)             backfill\n"
            "    select count(*) from orders where currency is null  ->  1"
        ),
        (
            "Let the migration treat the rows the cause names: it shows which call wrote them, on which side.",
            "End the migration with the same query, so that it fails there and not later.",
        ),
    ),
    "rollback-status": (
        "After rollback the stable fails on what the canary left",
        (
            "Rollback is what on-call reaches for when something is wrong. If it meets this, there are two "
            "incidents, and neither version serves the users who were on the canary."
        ),
        ("POST /orders    canary   all                 201\nGET /orders/7   stable   rollback from all   500"),
        (
            (
                "Write data the stable can read until its last possible return, or end the way back earlier in "
                "`rollback`."
            ),
            (
                "Keep the stage before as the last safe one in the on-call notes: a run shows it as the point of "
                "no return."
            ),
        ),
    ),
    "rollback-shape": (
        "After rollback the stable's answers lose their form",
        "Clients that survived the ramp break on the way back, when everybody is busy with the reason for it.",
        (
            "PATCH /orders/7   canary      most     200\n"
            'GET               /orders/7   stable   rollback from most   200 {"status": null}\n'
            "    the stable always answered a string"
        ),
        (
            (
                "Let the canary go on filling what the stable reads, up to the stage named in `rollback: { until: "
                "... }`."
            ),
            "Or prepare a migration back and rehearse it as part of the rollback.",
        ),
    ),
    "rollback-expectation": (
        "An expectation fails after rollback",
        "What users did on the canary does not count any more once the stable has taken over again.",
        (
            "POST /orders    canary   all                 201\n"
            'GET /orders/7   stable   rollback from all   200 {"amount": 0}\n'
            "    expect: body.amount == 500"
        ),
        (
            "Decide which it is: data the stable must be able to read, or a stage from which nobody goes back.",
            "For the second, set `rollback: { until: ... }` to the stage before and say so in the runbook.",
        ),
    ),
    "rollback-rule": (
        "A rule breaks after rollback",
        "A rule with `until` counts stages; a rollback goes back into its window, with data from beyond it.",
        (
            "PUT /orders/7   canary   all                 200\n"
            'GET /orders/7   stable   rollback from all   200 {"id": 7}\n'
            "    rule: the amount stays until everyone has moved"
        ),
        (
            "Keep what the rule needs until rollback is impossible, not only until the weight is 100%.",
            "Or end the way back at the stage where the rule ends.",
        ),
    ),
    "rollback-sameness": (
        "What was written on the canary is lost or changed after rollback",
        (
            "The stable comes up, all lights are green, and the orders of the last hour lack their notes. Nobody "
            "notices before a customer does, and by then both versions have written over it."
        ),
        (
            'POST /orders    canary   all                 201 {"note": "ring twice"}\n'
            'GET /orders/7   stable   rollback from all   200 {"note": null}'
        ),
        (
            "Dual-write in the canary as long as rollback is allowed.",
            "If that costs too much, shorten the way back: a rollback nobody can use is worse than none.",
            "If it has happened, repair from the new columns before the stable updates those rows.",
        ),
    ),
    "rollback-state": (
        "After rollback the data break a state rule",
        (
            "The stable goes on with rows it would never have written, and mixes its own into them. A second "
            "attempt at the ramp then starts from data no test has seen."
        ),
        (
            "POST /orders         canary   most                 201\n"
            "POST /orders/7/pay   stable   rollback from most   200\n"
            "    select count(*) from payments where cents is null  ->  1"
        ),
        (
            ("Plan the second attempt with the first: the backfill has to run again over rows the stable wrote since."),
            "Or end the way back before the first stage whose rows the stable cannot keep in order.",
        ),
    ),
    "stable-migration": (
        "A migration fails on rows the stable writes before the ramp",
        (
            "Production has many such rows. The migration stops half-way, at the stage where it runs first, with "
            "locks held and the deployment waiting."
        ),
        (
            'POST /orders {"sku": null}   stable   before   201\n'
            '(migration)                           expand   column "sku" contains null values'
        ),
        (
            "Let the migration treat the rows the witness writes, or reject them in the stable first.",
            "Count them in production with the migration's own condition before the ramp.",
        ),
    ),
    "canary-migration": (
        "A migration fails on rows the canary writes",
        (
            "The ramp goes up without trouble and then cannot be finished: the last migration meets the rows of "
            "the version it was written for."
        ),
        (
            "POST /orders   canary   all        201\n"
            "(migration)             contract   duplicate key value violates unique constraint"
        ),
        (
            "Let the canary write what the contract phase will demand, from its first call on.",
            "Add the constraint as NOT VALID in the expand phase: then the canary's writes are checked early.",
        ),
    ),
    "mixed-migration": (
        "A migration fails on rows that only both versions together leave",
        (
            "Each version's rows pass, so a rehearsal on either one is green. In the ramp both write, and the "
            "migration that ends it fails when there is no easy way back."
        ),
        (
            'POST /accounts {"mail": "A@x"}   stable   third      201\n'
            'POST /accounts {"mail": "a@x"}   canary   third      201\n'
            "(migration)                               contract   duplicate key (lower(mail))"
        ),
        (
            "Let the stable finish first, clean up what the mix left, then migrate.",
            ("Bring the constraint in before both serve, so that the second write is refused and not the migration."),
        ),
    ),
    "phase-migration": (
        "A migration fails on rows written in an earlier phase",
        (
            "Between two migrations a live side goes on writing in its own way. The later migration assumes that "
            "the earlier one has treated all rows, which was true only at that moment."
        ),
        (
            "(migration)             backfill   every row has a currency\n"
            "POST /orders   stable   third      201 (no currency)\n"
            '(migration)             contract   column "currency" contains null values'
        ),
        (
            "Run the backfill again right before, when the side that writes in the old way has gone.",
            "Or set a default or trigger together with the first migration, so that no such row can appear.",
        ),
    ),
    "rollback-migration": (
        "A migration fails on rows the stable writes after a rollback",
        (
            "After a rollback there is a second attempt. Its migrations meet rows from the stable's second life, "
            "and fail on the day everyone wanted to be done."
        ),
        (
            "POST /orders   canary   most                 201\n"
            "POST /orders   stable   rollback from most   201\n"
            '(migration)             contract             column "currency" contains null values'
        ),
        (
            "Make the migrations of the ramp repeatable, and run the backfill again in the second attempt.",
            "Or undo the expand phase as part of the rollback, so that the second attempt starts clean.",
        ),
    ),
    "stable-restart": (
        "The stable does not come back the same before anything has moved",
        (
            "Nodes are drained at any time, during a ramp more than usual. A stable that restarts differently "
            "makes every other finding doubtful: part of the difference is its own."
        ),
        (
            'GET /rates   stable, kept running     before   200 {"eur": 1.1}\n'
            "GET /rates   stable, started afresh   before   503"
        ),
        (
            "Look for what a fresh instance lacks: a warm cache, a file, a registration it waits for.",
            "Let `ready` name a path that answers only when that is there.",
        ),
    ),
    "canary-restart": (
        "The canary does not come back the same after a restart",
        (
            "The canary was started once by the rollout and looks well. The first eviction shows that it only "
            "worked because of what it did, or kept, at its first start."
        ),
        (
            "GET /orders/7   canary, kept running     first   200\n"
            "GET /orders/7   canary, started afresh   first   500 no such table: tmp_orders"
        ),
        (
            ("Make what happens at the start repeatable: create if it does not exist, upsert, take no lock for good."),
            "Move such work into a migration stage of the ramp.",
        ),
    ),
    "phase-restart": (
        "A side that is started afresh in this phase does not come back the same",
        (
            "The instance that was running before the migration still knows the old schema and works; the one that "
            "replaces it tonight does not. The failure comes hours after the cause, with no deployment in between."
        ),
        (
            "(migration)                              contract\n"
            "GET /orders/7   stable, kept running     contract   200\n"
            "GET /orders/7   stable, started afresh   contract   does not start: column orders.price is missing"
        ),
        (
            "Keep the schema such that every live side can start on it: checks at the start count as calls do.",
            ("If the stable may not start any more, this stage is a point of no return; let `rollback` end before it."),
            (
                "If the kept instance is the wrong one, restart it with the migration (it caches a schema or a "
                "prepared statement)."
            ),
        ),
    ),
}
