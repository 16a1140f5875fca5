"""Containment questions of the official JSON Schema test suite, answered by Crossfade and by peers.

    ./dev bench containment --suite DIR [--drafts draft4,draft6,...] [--peers] [--optional]

DIR is the suite's folder of drafts (it has `draft4` ... `draft2020-12` in it, or in `tests` below). Two questions are
made of it: is `{this instance}` within the schema (yes exactly when the test says the instance is valid), and is the
schema within itself with other annotations (always yes). Peers (jsonsubschema and jsoncompat, both from PyPI, where
installed) get the same questions in the drafts they know; an exception counts as undecided.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from common import table

from crossfade.engine import schema as crossfade

DIALECTS = {
    "draft4": crossfade.DRAFT_4,
    "draft6": crossfade.DRAFT_6,
    "draft7": crossfade.DRAFT_7,
    "draft2019-09": crossfade.DRAFT_2019_09,
    "draft2020-12": crossfade.DRAFT_2020_12,
}


class Question(NamedTuple):
    draft: str
    keyword: str
    what: str
    a: Any
    b: Any
    expected: bool
    told: str


Decide = Callable[[Question], bool | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--drafts", default=",".join(DIALECTS))
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--optional", action="store_true", help="the suite's optional tests as well")
    parser.add_argument("--wrong", action="store_true", help="list the wrong answers of Crossfade")
    options = parser.parse_args()
    root = options.suite / "tests" if (options.suite / "tests").is_dir() else options.suite
    asked = [one for draft in options.drafts.split(",") for one in questions(root, draft, options.optional)]
    if not asked:
        sys.exit(f"no tests found in {root}")
    tools: dict[str, Decide] = {"crossfade": ours}
    if options.peers:
        tools |= peers()
    rows, by_keyword = [], []
    for name, decide in tools.items():
        for what in ("instance", "itself"):
            mine = [one for one in asked if one.what == what]
            answers, times = run(decide, mine)
            unknown = Counter(one.keyword for one, answer in zip(mine, answers, strict=True) if answer is None)
            wrong = [one for one, said in zip(mine, answers, strict=True) if said is not None and said != one.expected]
            decided = sum(1 for one in answers if one is not None)
            median = statistics.median(times) * 1000
            rows.append(
                [name, what, len(mine), decided, 100 * decided / len(mine), len(wrong), median, max(times) * 1000]
            )
            if name == "crossfade":
                by_keyword += [[what, keyword, count] for keyword, count in unknown.most_common(25)]
                for one in wrong if options.wrong else ():
                    sys.stderr.write(f"wrong: {one.draft} {one.keyword} {one.told}\n")
    print(table(["tool", "question", "asked", "decided", "%", "wrong", "median ms", "max ms"], rows))
    print()
    print(table(["question", "unknown by keyword", "count"], by_keyword))


def run(decide: Decide, asked: list[Question]) -> tuple[list[bool | None], list[float]]:
    answers, times = [], []
    for one in asked:
        started = time.perf_counter()
        answers.append(decide(one))
        times.append(time.perf_counter() - started)
    return answers, times


def questions(root: Path, draft: str, optional: bool) -> Iterator[Question]:
    folder = root / draft
    files = sorted(folder.glob("*.json")) + (sorted(folder.glob("optional/**/*.json")) if optional else [])
    for path in files:
        for group in json.loads(path.read_text()):
            schema = group["schema"]
            title = f"{path.stem}: {group['description']}"
            other = annotated(schema, draft)
            yield Question(draft, path.stem, "itself", schema, other, True, title)
            for test in group["tests"]:
                one = {"enum": [test["data"]]} if draft == "draft4" else {"const": test["data"]}
                told = f"{title}: {test['description']}"
                yield Question(draft, path.stem, "instance", one, schema, test["valid"], told)


def annotated(schema: Any, draft: str) -> Any:
    """The schema with other annotations: at the top, and in every schema under `properties`."""
    if not isinstance(schema, dict) or ("$ref" in schema and draft in ("draft4", "draft6", "draft7")):
        return schema
    inner = {
        name: annotated(one, draft) if isinstance(one, dict) else one
        for name, one in schema.get("properties", {}).items()
    }
    more = {"properties": inner} if inner else {}
    return {"description": "the same, told differently", **schema, **more, "title": "another title", "default": [1]}


def ours(one: Question) -> bool | None:
    dialect = DIALECTS[one.draft]
    formats = one.keyword not in ("format",) and one.draft in ("draft4", "draft6", "draft7")
    answer = crossfade.contained(one.a, one.b, dialect=(dialect, dialect), formats=formats).answer
    return {"yes": True, "no": False}.get(answer.value)


def peers() -> dict[str, Decide]:
    found: dict[str, Decide] = {}
    try:
        from jsonsubschema import isSubschema  # type: ignore[import-not-found]

        found["jsonsubschema"] = lambda one: _or_none(lambda: bool(isSubschema(one.a, one.b)))
    except ImportError:
        sys.stderr.write("jsonsubschema is not installed\n")
    try:
        import jsoncompat  # type: ignore[import-not-found]

        def compat(one: Question) -> bool | None:
            texts = json.dumps(one.a), json.dumps(one.b)
            return _or_none(lambda: bool(jsoncompat.check_compat(texts[0], texts[1], "deserializer")))

        found["jsoncompat"] = compat
    except ImportError:
        sys.stderr.write("jsoncompat is not installed\n")
    return found


def _or_none(asked: Callable[[], bool]) -> bool | None:
    try:
        return asked()
    except BaseException as problem:  # a panic of a native peer is none of Exception
        if isinstance(problem, KeyboardInterrupt):
            raise
        return None


if __name__ == "__main__":
    main()
