"""``keytrust audit --fix``: from what the operator named to removals, under the rules of every other change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.padding import Padding

from keytrust.audit.registered import RegisteredKeys
from keytrust.audit.removal import Candidate, still_unregistered
from keytrust.cli.exits import ExitCode
from keytrust.cli.output import ask, bar, out, safe, say
from keytrust.cli.plan_view import SHOWN, exit_code, show_report
from keytrust.sync.model import AccountRef, Action, Change
from keytrust.sync.policy import Policy
from keytrust.sync.runs import Runs


def show_candidates(runs: Runs, candidates: Sequence[Candidate]) -> None:
    """The values that were named, or could be, each with the name by which it alone is named."""
    if candidates:
        out.print("\n[bold]Names for --remove[/]")
    for candidate in candidates[:SHOWN]:
        run = runs.journal.wrote(candidate.subject.guid, candidate.value.raw)
        name = candidate.reason.fingerprint if candidate.reason else candidate.value.identity.hex()
        # A name stands on a line of its own, however narrow the terminal: it is there to be copied.
        out.print(f"{name}  {safe(candidate.subject.name)}", soft_wrap=True)
        writer = f"keytrust in run {run}" if run else "somebody else"
        key = candidate.value.key_id.hex()[:16]
        written = f"key {key}…, written by {writer}" if key else f"written by {writer}"
        out.print(Padding(f"[dim]{written}\n{safe(_reason(candidate))}[/]", (0, 0, 0, 2)))
    if len(candidates) > SHOWN:
        out.print(f"[dim]… and {len(candidates) - SHOWN:,} more.[/]")


def carry_out(
    runs: Runs,
    candidates: Sequence[Candidate],
    *,
    policy: Policy,
    keys: int,
    allow_removals: int | None,
    yes: bool,
    read_again: Callable[[], RegisteredKeys | None],
) -> ExitCode:
    """Hold the removals to the limit, ask, look once more whether they are right, and remove.

    Args:
        runs: Of the domain that was audited.
        candidates: What to remove, already shown.
        policy: Has the limit.
        keys: Windows Hello keys in the domain: what the limit's share refers to.
        allow_removals: The limit for this run, where a person raised it.
        yes: Do not ask.
        read_again: Reads the registered keys anew; None when there are none to compare with.
    """
    if not candidates:
        say("There is nothing to remove.")
        return ExitCode.OK
    limit = policy.removals_allowed(keys, allow_removals)
    if len(candidates) > limit:
        said = f"{len(candidates)} removals exceed the limit of {limit} for one run ({keys} keys), so none is made"
        out.print(f"[bold yellow]Held back:[/] {safe(said)}.")
        out.print(f"If these are right: [bold]--allow-removals {len(candidates)}[/] for this one run.")
        return ExitCode.INCOMPLETE
    question = f"Remove {'this value' if len(candidates) == 1 else f'these {len(candidates)} values'}?"
    if not yes and not ask(question, unattended=False):
        say("Nothing was changed. Without a terminal to ask on, --yes says that it is meant.")
        return ExitCode.OK
    registered = read_again()
    changes = []
    for candidate in candidates:
        if registered is None or still_unregistered(candidate, registered):
            changes.append(_change(candidate))
        else:
            say(f"{candidate.subject.name}: the key may have been registered while the audit ran, so it is kept.")
    if not changes:
        say("There is nothing left to remove.")
        return ExitCode.OK
    with bar("removals") as progress:
        report = runs.carry_out("audit", changes, progress=lambda done: progress(done, len(changes)))
    show_report(report)
    say(
        "The journal keeps every removed value; keytrust undo puts them back, --account NAME only those of one account."
    )
    return exit_code(None, report)


def _change(candidate: Candidate) -> Change:
    subject, value = candidate.subject, candidate.value
    account = AccountRef(subject.guid, subject.dn, subject.sid, subject.name)
    return Change(Action.REMOVE, account, value.raw, value.key_id, f"audit, {_reason(candidate)}")


def _reason(candidate: Candidate) -> str:
    finding = candidate.reason
    return "named by its id" if finding is None else f"{finding.code}: {finding.message}"
