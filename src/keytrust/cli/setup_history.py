"""``keytrust setup history``"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from keytrust.cli.options import Config, Json, Verbose, settings
from keytrust.cli.output import out, print_json, safe, table
from keytrust.deploy.journal import SetupEntry, SetupJournal, SetupRun
from keytrust.store.database import opened_store


def history(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Show this run's changes, exactly.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check that the journal was not altered.")] = False,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """List the set-up runs, newest first, or one run's changes."""
    with opened_store(settings().store.url) as store:
        journal = SetupJournal(store)
        if verify:
            rows, digest = journal.verify()
            if json:
                print_json({"rows": rows, "digest": digest.hex()})
            else:
                out.print(f"The set-up journal is intact: {rows:,} rows, last digest {digest.hex() or 'none'}.")
        elif run is not None:
            _one(journal.run(run), journal, json=json)
        else:
            _all(journal.runs(), json=json)


def _all(runs: list[SetupRun], *, json: bool) -> None:
    if json:
        print_json([asdict(each) for each in runs])
        return
    if not runs:
        out.print("No set-up step has been carried out.")
        return
    rows = table("Run", "Step", "Domain", "By", "Result")
    for each in runs:
        step = f"undo of {each.undoes}" if each.undoes else each.step
        rows.add_row(each.id, safe(step), safe(each.domain), safe(each.identity), safe(each.result or "cut short"))
    out.print(rows)


def _one(run: SetupRun, journal: SetupJournal, *, json: bool) -> None:
    entries = journal.entries(run.id)
    if json:
        print_json(asdict(run) | {"changes": [_entry_json(entry) for entry in entries]})
        return
    out.print(
        f"Run [bold]{run.id}[/]: {safe(run.step)} on {safe(run.server)} as {safe(run.identity)}"
        f" (on this machine {safe(run.operator)})"
    )
    for entry in entries:
        became = entry.outcome.value if entry.outcome else "not known"
        out.print(f"[bold]{became}[/]  {entry.at[:19].replace('T', ' ')}  {safe(entry.summary)}")
        for line in entry.change.exact():
            out.print(f"     [dim]{safe(line)}[/]", soft_wrap=True)
        if entry.note and became != "done":
            out.print(f"     {safe(entry.note)}")
    out.print(safe(run.result or "The run was cut short: run the step again to do the rest, or undo it."))


def _entry_json(entry: SetupEntry) -> dict[str, object]:
    return {
        "at": entry.at,
        "kind": entry.change.kind,
        "summary": entry.summary,
        "exact": entry.change.exact(),
        "outcome": entry.outcome.value if entry.outcome else None,
        "note": entry.note,
    }
