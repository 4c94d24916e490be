"""``keytrust audit``"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from keytrust.audit import baseline
from keytrust.audit import devices as device_files
from keytrust.audit.auditor import Auditor, Observer
from keytrust.audit.ldif.dump import Dump, open_dump
from keytrust.audit.live import audit_domain
from keytrust.audit.model import Finding, InspectedValue, Scope, Severity, Subject, Vendor
from keytrust.audit.removal import Candidates, Named
from keytrust.audit.report import WRITERS, Format, Result
from keytrust.audit.report.whfbtools import CLOUD_COLUMNS, AdRows, Rows, cloud_rows
from keytrust.audit.rules import Context, Registered
from keytrust.audit.run import Outcome, audit_dump
from keytrust.audit.spool import Findings
from keytrust.cli.audit_fix import carry_out, show_candidates
from keytrust.cli.audit_inputs import chosen_source, output, read_registered
from keytrust.cli.audit_view import say_counters, show_result
from keytrust.cli.exits import ExitCode
from keytrust.cli.options import AllowRemovals, Config, DomainLabel, Verbose, Yes, settings
from keytrust.cli.output import counting, say, share
from keytrust.cli.wiring import open_runs
from keytrust.directory.domain import Domain
from keytrust.sync.runs import Runs


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is audited: a dump, or a live domain."""

    name: str
    dump: Dump | None = None
    domain: Domain | None = None
    runs: Runs | None = None


def audit(
    dump: Annotated[
        Path | None,
        typer.Argument(metavar="DUMP.ldif", help="An LDIF dump, - for standard input. Without it: the live domain."),
    ] = None,
    cloud: Annotated[
        str | None,
        typer.Option(
            "--cloud",
            metavar="FILE|config|store|none",
            help="Registered keys: a file, as configured, or as keytrust run knows them.",
        ),
    ] = None,
    devices: Annotated[
        Path | None, typer.Option("--devices", metavar="FILE", help="All devices, as Graph lists them (JSON).")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.TABLE,
    file: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there.")] = None,
    accepted: Annotated[
        Path | None, typer.Option("--baseline", metavar="FILE", help="Leave out the findings that it accepts.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option("--write-baseline", metavar="FILE", help="Accept all that is found, into a file.")
    ] = None,
    fail_on: Annotated[Severity, typer.Option("--fail-on", help="Exit with 2 from this severity on.")] = Severity.HIGH,
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", metavar="NAME", help="A principal that may write keys: SID or name. Repeatable."),
    ] = None,
    controller: Annotated[
        Vendor | None, typer.Option("--controller", help="Whose domain controllers must accept the values of a dump.")
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, max=64, help="Processes for a dump.")] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Remove what --remove names, after asking.")] = False,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            "--remove",
            metavar="NAME",
            help="With --fix: a kind of finding, one finding's fingerprint or one value's id. Repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="With --fix: show what would be removed, or could be named.")
    ] = False,
    yes: Yes = False,
    domain: DomainLabel = None,
    allow_removals: AllowRemovals = None,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Find planted, weak and orphaned keys, and who could plant one.

    Nothing is changed without --fix. A dump needs no configuration. What was not checked for lack of something to
    compare with is said. Exits with 0, with 2 when a finding is of the severity --fail-on or worse, with 1 on an error;
    with --fix as keytrust sync does.

      keytrust audit dump.ldif --cloud users.json --format html -o report.html
    """
    named = _named(remove or [], fix=fix, dry_run=dry_run, live=dump is None)
    if file is not None and form is Format.TABLE:
        raise typer.BadParameter("--output is for a report: give a --format other than table")
    if fix and form is not Format.TABLE and file is None:
        raise typer.BadParameter("--fix writes to standard output too, so a report in this format needs --output")
    known = device_files.load(devices) if devices else None
    before = baseline.load(accepted) if accepted else frozenset()
    cloud_lines = Rows(CLOUD_COLUMNS)
    now = datetime.now(UTC)
    with ExitStack() as stack:
        subject = stack.enter_context(_opened(dump, jobs, domain))
        source = chosen_source(cloud, settings, subject.domain.name if subject.domain is not None else None)
        if form is Format.WHFBTOOLS_CLOUD and source is None:
            raise typer.BadParameter("--format whfbtools-cloud needs --cloud")
        registered = None
        if source is not None:
            listed = form is Format.WHFBTOOLS_CLOUD
            registered = read_registered(
                source, (lambda users: cloud_rows(users, cloud_lines, known)) if listed else (lambda users: users)
            )
        findings = stack.enter_context(Findings(before))
        lines = AdRows(lambda: auditor.context.devices is not None)
        candidates = Candidates(named, before)
        observers: list[Observer] = [*([lines] if form is Format.WHFBTOOLS else []), *([candidates] if fix else [])]
        context = Context(int(now.timestamp()), registered, known, controller)
        auditor = Auditor(context, findings, _all_of(observers) if observers else None)
        outcome = _audited(subject, auditor, raw=bool(observers), expected=expect or [])
        scope = Scope(subject.name, source.name if source else "", outcome.devices, now)
        result = Result(scope, findings, outcome)
        if form is Format.TABLE:
            show_result(result)
        else:
            with output(file) as out_file:
                if form in WRITERS:
                    WRITERS[form](result, out_file)
                else:
                    (lines if form is Format.WHFBTOOLS else cloud_lines).write(out_file)
        if form in (Format.WHFBTOOLS, Format.WHFBTOOLS_CLOUD):
            say_counters(result)
        if write_baseline is not None:
            say(f"{baseline.save(write_baseline, findings, before):,} findings accepted in {write_baseline}.")
        if fix and subject.runs is not None:
            chosen = candidates.finish()
            show_candidates(subject.runs, chosen)
            if dry_run:
                raise typer.Exit(ExitCode.CHANGES if chosen else ExitCode.OK)
            raise typer.Exit(
                carry_out(
                    subject.runs,
                    chosen,
                    policy=settings().policy,
                    keys=outcome.census.user_keys,
                    allow_removals=allow_removals,
                    yes=yes,
                    read_again=lambda: None if source is None else read_registered(source),
                )
            )
        worst = findings.worst()
    raise typer.Exit(ExitCode.CHANGES if worst is not None and worst.at_least(fail_on) else ExitCode.OK)


def _named(names: Sequence[str], *, fix: bool, dry_run: bool, live: bool) -> Named:
    """What ``--remove`` names. Nothing is removed that was not named: rule 3 gives the audit no values of its own."""
    if not fix:
        if names or dry_run:
            raise typer.BadParameter("--remove and --dry-run belong to --fix")
        return Named()
    if not live:
        raise typer.BadParameter("--fix works on the live domain, not on a dump")
    if not names and not dry_run:
        raise typer.BadParameter("--fix removes only what --remove names; --fix --dry-run lists what can be named")
    try:
        return Named.parse(names)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--remove") from error


@contextmanager
def _opened(dump: Path | None, jobs: int | None, only: str | None) -> Iterator[_Subject]:
    if dump is not None:
        with open_dump(dump, jobs) as opened:
            yield _Subject("standard input" if str(dump) == "-" else str(dump), dump=opened)
    else:
        with open_runs(settings(), cloud=False, only=only) as (runs, domain):
            yield _Subject(domain.name, domain=domain, runs=runs)


def _audited(subject: _Subject, auditor: Auditor, *, raw: bool, expected: Sequence[str]) -> Outcome:
    if subject.dump is not None:
        with share("dump") as progress:
            return audit_dump(subject.dump, subject.name, auditor, raw=raw, expected=expected, progress=progress)
    assert subject.domain is not None  # noqa: S101 - it is a dump or a domain
    with counting("objects") as (count,):
        return audit_domain(subject.domain, auditor, raw=raw, expected=expected, progress=count)


def _all_of(observers: Sequence[Observer]) -> Observer:
    def tell(subject: Subject, value: InspectedValue, state: Registered, findings: Sequence[Finding]) -> None:
        for observer in observers:
            observer(subject, value, state, findings)

    return tell
