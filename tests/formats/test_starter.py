"""`crossfade init`: whatever is answered, the starter is a contract the reader accepts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.errors import UsageError
from crossfade.formats.ramp import contract_of
from crossfade.formats.source import source_of
from crossfade.formats.starter import Answers, answers_of, questions, starter
from crossfade.model.contract import Contract

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)
commands = words.map(lambda text: "./serve " + text.translate({ord(mark): None for mark in "\"'\\$#"}))


def contract(answers: Answers, folder: Path) -> Contract:
    for name in (answers.schema, *answers.migrations):
        if name:
            (folder / name).touch()
    return contract_of(source_of("ramp.yaml", starter(answers)), folder / "ramp.yaml")


@given(
    st.builds(
        Answers,
        service=st.sampled_from(["orders", "db", "cache", "order-book"]),
        stable_version=words,
        stable_run=commands,
        canary_version=words,
        canary_run=commands,
        ready=st.sampled_from(["", "/", "/health?deep=1"]),
        schema=st.sampled_from(["", "schema.sql", "tables é.sql"]),
        migrations=st.lists(st.sampled_from(["1.sql", "2.sql", "3.sql", "4.sql"]), unique=True).map(tuple),
        redis=st.booleans(),
        call=st.sampled_from(["GET /orders", "DELETE /a/b?c=d"]),
    )
)
@settings(max_examples=60, deadline=None)
def test_every_starter_is_a_contract(answers: Answers) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = contract(answers, Path(folder))
    service = found.services[0]
    assert service.canary
    assert (answers.service, answers.ready or None) == (service.name, service.ready)
    assert (answers.stable_version, answers.canary_version) == (service.stable.version, service.canary.version)
    assert (answers.stable_run, answers.canary_run) == (service.stable.run, service.canary.run)
    migrations = [stage.migration.sql[0] for stage in found.stages if stage.migration]
    assert list(answers.migrations) == migrations
    step = found.scenarios[0].steps[0]
    assert answers.call == f"{step.method} {step.path}"
    assert ["postgres", *(["redis"] if answers.redis else [])] == [database.kind for database in found.databases]


def test_the_comments_hold_a_contract_too(tmp_path: Path) -> None:
    """What is commented out works as it stands once the `# ` is taken away."""
    text = starter(Answers(schema=""))
    head, _, tail = text.partition("  # - name: what is created can be read\n")
    body, _, rest = ("  # - name: what is created can be read\n" + tail).partition("\n\n")
    opened = "\n".join(line.replace("# ", "", 1) for line in (body + "\n" + rest).splitlines())
    found = contract_of(source_of("ramp.yaml", head + opened + "\n"), tmp_path / "ramp.yaml")
    assert [scenario.name for scenario in found.scenarios] == ["a first call", "what is created can be read"]
    assert (len(found.rules), len(found.state), len(found.changes), len(found.races)) == (1, 1, 1, 1)


def test_answers_from_flags() -> None:
    given_answers = {"postgres": "no", "redis": True, "migrations": "migrate up, two.sh", "ready": "", "call": None}
    expected = Answers(postgres=False, redis=True, migrations=("migrate up", "two.sh"), ready="")
    assert expected == answers_of(given_answers)


def test_the_defaults_of_the_questions_are_the_defaults() -> None:
    assert Answers() == answers_of({question.name: question.default for question in questions()})
    assert list(Answers.__struct_fields__) == [question.name for question in questions()]


@pytest.mark.parametrize(
    ("answers", "flag"),
    [
        (Answers(service="or ders"), "--service"),
        (Answers(stable_version=""), "--stable-version"),
        (Answers(ready="healthz"), "--ready"),
        (Answers(postgres=False, migrations=("a.sql",)), "--migrations"),
        (Answers(call="orders"), "--call"),
    ],
)
def test_answers_no_contract_can_hold(answers: Answers, flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        starter(answers)
    assert flag == caught.value.where


def test_yes_or_no() -> None:
    with pytest.raises(UsageError, match="neither yes nor no"):
        answers_of({"redis": "perhaps"})
