"""``keytrust audit --fix``: from findings to removals, under the rules of every other change."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from keytrust.audit.model import Code, Finding, InspectedValue, Subject
from keytrust.audit.rules import Registered
from keytrust.cli.exits import ExitCode
from keytrust.cli.output import ask, bar, out, safe, say, table
from keytrust.cli.plan_view import SHOWN, exit_code, show_report
from keytrust.sync.model import AccountRef, Action, Change
from keytrust.sync.policy import Policy
from keytrust.sync.runs import Runs


class Removable(StrEnum):
    """Findings whose value ``--remove`` may name."""

    NOT_REGISTERED = Code.NOT_REGISTERED
    NO_CLOUD_USER = Code.NO_CLOUD_USER
    TOOL_MARK = Code.TOOL_MARK
    KEY_ID_MISMATCH = Code.KEY_ID_MISMATCH
    COMPUTER_USER_KEY = Code.COMPUTER_USER_KEY
    ROCA = Code.ROCA
    NO_DEVICE = Code.NO_DEVICE
    UNREADABLE_VALUE = Code.UNREADABLE_VALUE


class Removals:
    """Collects, while an audit runs, the values that are to be removed."""

    def __init__(self, wanted: Sequence[Removable]) -> None:
        self._wanted = {Code(code.value) for code in wanted}
        self.changes: list[Change] = []

    def __call__(self, subject: Subject, value: InspectedValue, _: Registered, findings: Sequence[Finding]) -> None:
        identity = value.identity.hex()
        reasons = [f for f in findings if f.code in self._wanted and f.evidence.get("value") == identity]
        if reasons and len(subject.guid) == 16:
            account = AccountRef(subject.guid, subject.dn, subject.sid, subject.name)
            why = f"audit, {reasons[0].code}: {reasons[0].message}"
            self.changes.append(Change(Action.REMOVE, account, value.raw, value.key_id, why))


def carry_out(
    runs: Runs, changes: Sequence[Change], *, policy: Policy, keys: int, allow_removals: int | None, yes: bool
) -> ExitCode:
    """Show the removals, hold them to the limit, ask, and remove.

    Args:
        runs: Of the domain that was audited.
        changes: The removals.
        policy: Has the limit.
        keys: Windows Hello keys in the domain: what the limit's share refers to.
        allow_removals: The limit for this run, where a person raised it.
        yes: Do not ask.
    """
    if not changes:
        say("There is nothing to remove.")
        return ExitCode.OK
    rows = table("Change", "Account", "Key", "Why")
    for change in changes[:SHOWN]:
        rows.add_row("[red]- remove[/]", safe(change.account.name), change.key_id.hex()[:16] + "…", safe(change.reason))
    out.print(rows)
    if len(changes) > SHOWN:
        out.print(f"[dim]… and {len(changes) - SHOWN:,} more.[/]")
    limit = policy.removals_allowed(keys, allow_removals)
    if len(changes) > limit:
        said = f"{len(changes)} removals exceed the limit of {limit} for one run ({keys} keys), so none is made"
        out.print(f"[bold yellow]Held back:[/] {safe(said)}.")
        out.print(f"If these are right: [bold]--allow-removals {len(changes)}[/] for this one run.")
        return ExitCode.INCOMPLETE
    if not yes and not ask(f"Remove these {len(changes)} values?", unattended=False):
        say("Nothing was changed. Without a terminal to ask on, --yes says that it is meant.")
        return ExitCode.OK
    with bar("removals") as progress:
        report = runs.carry_out("audit", changes, progress=lambda done: progress(done, len(changes)))
    show_report(report)
    say("The journal keeps every removed value; keytrust undo puts them back.")
    return exit_code(None, report)
