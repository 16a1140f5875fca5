"""The command line: parse, call, print. Data goes to stdout, progress to stderr, the verdict into the exit code."""

from __future__ import annotations

import argparse
import errno
import io
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crossfade import __version__
from crossfade.errors import (
    EXIT_BUG,
    EXIT_ENVIRONMENT,
    EXIT_SAFE,
    EXIT_UNKNOWN,
    EXIT_UNSAFE,
    CrossfadeError,
    UsageError,
)

EXAMPLES = """\
examples:
  crossfade demo --report out/          see it work: an orders service, 1.2.3 -> 1.3.0
  crossfade init                        write a commented ramp.yaml for your two versions
  crossfade compat old.yaml new.yaml    do the versions understand each other; starts nothing
  crossfade plan ramp.yaml              what a run would do, without starting anything
  crossfade run ramp.yaml --report out/ the verdict, and report.html, report.json, junit.xml, report.md
  crossfade replay 3f2a9c               the witness of a finding again, call by call
  crossfade explain mixed-sameness      what a rule means and what to do

exit codes: 0 safe, 1 unsafe, 2 contract or usage error, 3 unknown, 4 environment could not start, 70 a bug
"""


COMMAND_EXAMPLES = {
    "demo": ("demo --report out/", "demo --repaired --report out/"),
    "run": (
        "run                                   the contract ramp.yaml in this folder",
        "run ramp.yaml --report out/ --budget 10m",
        "run ramp.yaml --scenario 'an order can be read back'",
        "run ramp.yaml --races declared        of calls at the same time, only those under `races:`",
        "run ramp.yaml --stampede 500          each pair 500 times at the same instant, then in every order",
        "run ramp.yaml --races off             one call after the other",
    ),
    "plan": ("plan ramp.yaml", "plan ramp.yaml --races off"),
    "init": (
        "init                                  asks, then writes ramp.yaml",
        "init --yes --service shop --stable-version 2.3.0 --canary-version 2.4.0 --output ramp.yaml",
    ),
    "compat": (
        "compat                                the services of ramp.yaml, over its ramp",
        "compat ramp.yaml --format markdown --output compat.md",
        "compat openapi-1.2.3.yaml openapi-1.3.0.yaml",
        "compat old.json new.json --reader strict --fail-on warning",
        "compat old.json new.json --direction backward   consumers of the stable alone",
        "compat ramp.yaml --format sarif --output compat.sarif",
        "compat ramp.yaml --scratch            migrations carried out on a copy of the schema",
    ),
    "replay": ("replay 3f2a9c", "replay 3f2a9c --report out/report.json"),
    "explain": ("explain mixed-sameness", "explain                               lists all rules"),
    "clean": ("clean",),
    "schema": ("schema contract > ramp.schema.json", "schema report", "schema compat"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return EXIT_SAFE
    try:
        return int(options.action(options))
    except CrossfadeError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_SAFE
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EIO):
            return _our_bug()
        print(f"error: the output cannot be written: {problem.strerror}", file=sys.stderr)
        return EXIT_ENVIRONMENT
    except KeyboardInterrupt:
        print("error: interrupted before anything was looked at", file=sys.stderr)
        return EXIT_UNKNOWN
    except Exception:
        return _our_bug()


def _our_bug() -> int:
    """Where nothing is said about the ramp the exit code must not say "unsafe", which is Python's own for a traceback."""
    traceback.print_exc()
    print("error: this is a bug of Crossfade, it says nothing about your ramp", file=sys.stderr)
    print("  help: please report the lines above and the contract", file=sys.stderr)
    return EXIT_BUG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crossfade",
        description="Ramp-contract testing: proves that every intermediate state between two versions of a service "
        "stands on solid ground - mixed traffic, half-migrated data, rollback - on real services and databases.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"crossfade {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    demo = _command(commands, "demo", "run the bundled example to its verdict", _demo)
    demo.add_argument("--repaired", action="store_true", help="the same rollout done right: comes out safe")
    _run_options(demo, budget="60s")

    run = _command(commands, "run", "walk the ramp of a contract and give a verdict", _run)
    run.add_argument("contract", nargs="?", default="ramp.yaml", help="the contract (default: ramp.yaml)")
    run.add_argument("--scenario", action="append", default=[], metavar="NAME", help="only this scenario (repeatable)")
    _run_options(run)

    plan = _command(commands, "plan", "print the numbered plan and its size; starts nothing", _plan)
    plan.add_argument("contract", nargs="?", default="ramp.yaml")
    _races_option(plan)

    compat = _command(
        commands, "compat", "tell which versions that meet do not understand each other; starts nothing", _compat
    )
    _compat_options(compat)

    init = _command(commands, "init", "write a commented starter contract that runs", _init)
    init.add_argument("--output", default="ramp.yaml", metavar="FILE", help="where to write it (default: ramp.yaml)")
    init.add_argument("--force", action="store_true", help="overwrite the file")
    init.add_argument("--yes", action="store_true", help="ask nothing: flags and defaults decide")
    _init_flags(init)

    replay = _command(commands, "replay", "run the witness of a finding again from the stored run", _replay)
    replay.add_argument("finding", metavar="ID", help="the finding's id or the beginning of it")
    replay.add_argument(
        "--report", metavar="FILE", help="the report.json to take it from (default: the newest stored run)"
    )

    replay.add_argument(
        "--times", type=_count, default=20, metavar="N", help="how often the schedule of a race is run (default: 20)"
    )

    explain = _command(commands, "explain", "what a rule means, why it hurts, what to do instead", _explain)
    explain.add_argument("rule", nargs="?", help="such as mixed-sameness; without it: all rules")

    _command(commands, "clean", "remove what killed runs have left (processes, databases, folders)", _clean)

    schema = _command(
        commands,
        "schema",
        "print a JSON Schema: of the contract (for editors), of report.json or of compat's JSON",
        _schema,
    )
    schema.add_argument("what", choices=("contract", "report", "compat"))
    return parser


def _command(commands: Any, name: str, text: str, action: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  crossfade {line}" for line in COMMAND_EXAMPLES[name]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(action=action)
    return parser


def _run_options(parser: argparse.ArgumentParser, budget: str = "4m") -> None:
    parser.add_argument("--report", metavar="DIR", help="write report.html, report.json, report.md and junit.xml there")
    parser.add_argument(
        "--budget",
        type=_duration,
        default=_duration(budget),
        metavar="TIME",
        help=f"time for the search, as 90s or 5m (default: {budget})",
    )
    parser.add_argument(
        "--merge",
        choices=("auto", "on", "off"),
        default="auto",
        help="tell routings apart by the state they reach: when time demands it (auto), always, never",
    )
    _races_option(parser)
    parser.add_argument(
        "--stampede",
        type=_count,
        default=20,
        metavar="N",
        help="fire each pair N times at the same instant before orders are tried one by one; 0: never (default: 20)",
    )
    parser.add_argument(
        "--bound",
        type=int,
        choices=range(4),
        default=2,
        metavar="N",
        help="try every order of a pair's turns in which a call is interrupted at most N times, 0 to 3 (default: 2)",
    )
    parser.add_argument("--seed", type=int, default=1, help="decides every draw where not all can be run (default: 1)")
    parser.add_argument("--quiet", action="store_true", help="no progress, only findings and the verdict")


def _races_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--races",
        choices=("auto", "declared", "off"),
        default="auto",
        help="calls at the same time: those under `races:` and pairs whose reads and writes meet (auto), only those "
        "under `races:` (declared), none (off)",
    )


def _compat_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "documents",
        nargs="*",
        metavar="RAMP | OLD NEW",
        help="a contract (default: ramp.yaml), or the documents of the stable and the canary: OpenAPI and others, "
        "known by what they hold",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "sarif", "junit", "github", "markdown"),
        default="text",
        help="how to tell it (default: text)",
    )
    parser.add_argument("--output", metavar="FILE", help="write it there instead of to stdout")
    parser.add_argument(
        "--fail-on",
        choices=("error", "warning", "never"),
        default="error",
        help="what makes the exit code 1: breaks (error), warnings as well, nothing at all (default: error)",
    )
    parser.add_argument(
        "--reader",
        choices=("tolerant", "strict"),
        help="whether consumers accept fields of answers they do not know (default: as the contract says, else tolerant)",
    )
    parser.add_argument(
        "--direction",
        choices=("both", "backward", "forward"),
        default="both",
        help="whose consumers: the stable's calling the canary (backward), the canary's calling the stable (forward), "
        "both (default)",
    )
    parser.add_argument(
        "--scratch",
        action="store_true",
        help="carry the migrations of a contract out on a copy of its schema instead of reading them; starts a PostgreSQL",
    )
    parser.add_argument(
        "--commands",
        action="store_true",
        help="with --scratch: run migrations that are commands, too (in a copy of the folder)",
    )


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,7}", text) or int(text) > 1_000_000:
        raise argparse.ArgumentTypeError(f"`{text}` is no count; write a number from 0 to 1000000")
    return int(text)


def _duration(text: str) -> float:
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        seconds = float(number) * units[unit]
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"`{text}` is no time; write it as 90s or 5m")
    return seconds


# --- commands ------------------------------------------------------------------------------------------------------


def _demo(options: argparse.Namespace) -> int:
    folder = Path(__file__).parent / "demo" / ("orders-repaired" if options.repaired else "orders")
    options.contract = str(folder / "ramp.yaml")
    options.scenario = []
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    from crossfade.formats.ramp import read_contract
    from crossfade.report import write_reports
    from crossfade.report.terminal import Terminal
    from crossfade.session import Options, run_contract
    from crossfade.session.stored import store

    contract = read_contract(options.contract)
    names = {scenario.name for scenario in contract.scenarios}
    for name in options.scenario:
        if name not in names:
            raise UsageError(
                f"no scenario `{name}`", where=options.contract, hint=f"there are: {', '.join(sorted(names))}"
            )
    folder = Path(options.report) if options.report else None
    if folder is not None:
        _writable(folder)
    terminal = Terminal(sys.stdout, _Silent() if options.quiet else sys.stderr)
    settings = Options(
        options.budget,
        options.merge,
        options.seed,
        tuple(options.scenario),
        races=options.races,
        stampede=options.stampede,
        bound=options.bound,
    )
    report = _until_done(run_contract(contract, settings, terminal.hear))
    store(report)
    if folder is not None:
        paths = write_reports(report, folder)
        page = next((path for path in paths if path.suffix == ".html"), folder)
        print(f"report: {page}", file=sys.stderr)
    if report.verdict == "unsafe":
        return EXIT_UNSAFE
    if report.verdict == "safe":
        return EXIT_SAFE
    return EXIT_ENVIRONMENT if report.environment.get("failed") else EXIT_UNKNOWN


def _until_done(work: Any) -> Any:
    """Runs to the end; Ctrl-C and SIGTERM end it in order, with everything stopped and what was found reported."""
    import asyncio
    import signal

    async def guarded() -> Any:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_quiet_about_lost_connections)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None

    return asyncio.run(guarded())


def _quiet_about_lost_connections(loop: Any, context: dict[str, Any]) -> None:
    """A database that is stopped while a query is being cancelled is no news."""
    if not isinstance(context.get("exception"), ConnectionError):
        loop.default_exception_handler(context)


def _compat(options: argparse.Namespace) -> int:
    from crossfade.report.compat import written
    from crossfade.session.compat import compat_between, compat_of_file, options_of

    documents = options.documents or ["ramp.yaml"]
    if len(documents) > 2:
        raise UsageError(
            f"{len(documents)} documents, and two are compared", hint="name the stable's document, then the canary's"
        )
    if options.commands and not options.scratch:
        raise UsageError("`--commands` runs migrations, and nothing is run", hint="add --scratch")
    if options.scratch and len(documents) == 2:
        raise UsageError(
            "two documents have no migrations", hint="name a contract: crossfade compat ramp.yaml --scratch"
        )
    settings = options_of(options.reader, options.direction)
    if len(documents) == 2:
        report = compat_between(documents[0], documents[1], settings)
    else:
        report = compat_of_file(documents[0], settings, options.reader is None, options.scratch, options.commands)
    if options.output:
        text = written(report, options.format, None)
        try:
            Path(options.output).write_text(text, encoding="utf-8", newline="\n")
        except OSError as problem:
            raise UsageError(f"`{options.output}` cannot be written: {problem.strerror}") from None
        print(f"{report.verdict.value}: {report.reason}; written to {options.output}", file=sys.stderr)
    else:
        sys.stdout.write(written(report, options.format, sys.stdout))
        sys.stdout.flush()
    return _compat_code(report, options.fail_on)


def _compat_code(report: Any, fail_on: str) -> int:
    """Declared breaks do not count. `never`: whatever was found, the pipeline goes on."""
    if fail_on == "never":
        return EXIT_SAFE
    warned = any(one.severity == "warning" and not one.declared and not one.unknown for one in report.breaks)
    if report.verdict == "unsafe" or (fail_on == "warning" and warned):
        return EXIT_UNSAFE
    return EXIT_SAFE if report.verdict == "safe" else EXIT_UNKNOWN


def _plan(options: argparse.Namespace) -> int:
    from crossfade.engine.timeline import plan, timeline
    from crossfade.formats.ramp import read_contract
    from crossfade.model.events import PlanMade
    from crossfade.report.terminal import Terminal

    contract = read_contract(options.contract)
    Terminal(sys.stdout, sys.stderr).hear(PlanMade(plan(contract, timeline(contract), options.races)))
    return EXIT_SAFE


def _init_flags(parser: argparse.ArgumentParser) -> None:
    from crossfade.formats.starter import questions

    for question in questions():
        parser.add_argument(question.flag, dest=f"answer_{question.name}", metavar="TEXT", help=question.text)


def _init(options: argparse.Namespace) -> int:
    from crossfade.formats.starter import answers_of, questions, starter

    path = Path(options.output)
    if path.exists() and not options.force:
        raise UsageError(f"`{path}` is there already", hint="name another file with --output, or add --force")
    given: dict[str, Any] = {}
    ask = sys.stdin.isatty() and not options.yes
    for question in questions():
        value = getattr(options, f"answer_{question.name}")
        idle = question.when and str(given.get(question.when) or "yes").lower() in ("no", "n", "false")
        if value is None and ask and not idle:
            shown = f" [{question.default}]" if question.default else ""
            value = input(f"{question.text}{shown}: ").strip() or None
        if value is None and question.name == "schema" and not (path.parent / question.default).exists():
            value = ""  # a file that is not there would only be an error later
        given[question.name] = value
    text = starter(answers_of(given))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"`{path}` cannot be written: {problem.strerror}") from None
    print(f"wrote {path}; look through it, then: crossfade plan {path}")
    return EXIT_SAFE


def _replay(options: argparse.Namespace) -> int:
    from crossfade.formats.ramp import read_contract
    from crossfade.report.replay import race_replay_text, replay_text
    from crossfade.report.terminal import Terminal
    from crossfade.session.replaying import replay_finding, replay_race_finding
    from crossfade.session.stored import find

    report, finding = find(options.finding, options.report)
    contract = read_contract(report.contract)
    terminal = Terminal(sys.stdout, sys.stderr)
    if finding.race is not None:
        race, failures = _until_done(replay_race_finding(contract, report, finding, terminal.hear, options.times))
        print(race_replay_text(finding, race, failures, options.times))
        return EXIT_UNSAFE if failures else EXIT_SAFE
    replay = _until_done(replay_finding(contract, report, finding, terminal.hear))
    print(replay_text(finding, replay.calls, replay.problems, replay.fails))
    return EXIT_UNSAFE if replay.fails else EXIT_SAFE


def _explain(options: argparse.Namespace) -> int:
    from crossfade.report.ink import ink_for
    from crossfade.report.rules import RULES, page, suggestions, terminal_page

    if options.rule is None:
        for rule in sorted(RULES):
            print(rule)
        return EXIT_SAFE
    found = page(options.rule)
    if found is None:
        near = suggestions(options.rule)
        raise UsageError(
            f"no rule `{options.rule}`", hint=f"did you mean `{near[0]}`?" if near else "`crossfade explain` lists all"
        )
    print(terminal_page(found, ink_for(sys.stdout, None, None)))
    return EXIT_SAFE


def _clean(options: argparse.Namespace) -> int:
    import asyncio

    from crossfade.world.ledger import clean

    removed = asyncio.run(clean(lambda text: print(f"note: {text}", file=sys.stderr)))
    for line in removed:
        print(line)
    if not removed:
        print("nothing to clean: no killed run has left anything")
    return EXIT_SAFE


def _schema(options: argparse.Namespace) -> int:
    if options.what == "contract":
        from crossfade.formats.editor_schema import editor_schema_text

        print(editor_schema_text(), end="")
    elif options.what == "compat":
        from crossfade.report.compat_data import compat_schema_text

        print(compat_schema_text(), end="")
    else:
        from crossfade.report.data import report_schema_text

        print(report_schema_text(), end="")
    return EXIT_SAFE


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".crossfade-probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as problem:
        raise UsageError(
            f"reports cannot be written to `{folder}`: {problem.strerror}", hint="name another --report folder"
        ) from None


class _Silent(io.StringIO):
    """A stream that says nothing."""

    def write(self, text: str) -> int:
        return len(text)


if __name__ == "__main__":
    sys.exit(main())
