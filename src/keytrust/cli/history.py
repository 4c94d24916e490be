"""``keytrust history``"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from keytrust.cli.options import Config, DomainLabel, Json, Verbose, settings
from keytrust.cli.output import out, print_json, safe, table
from keytrust.config import Settings
from keytrust.errors import ConfigError
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal


def history(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Show this run's changes.")] = None,
    domain: DomainLabel = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check that the journal was not altered.")] = False,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """List the runs, newest first, or one run's changes."""
    configured = settings()
    journal = Journal(open_store(configured.store.url))
    if verify:
        rows, digest = journal.verify()
        out.print(f"The journal verifies: {rows:,} rows, an unbroken chain.")
        out.print(f"Head: row {rows} {digest.hex()}", soft_wrap=True)
        out.print(
            "[dim]Note it elsewhere: who cuts rows off the end and corrects the head too leaves no other trace.[/]"
        )
    elif run is not None:
        _one(journal, run, json)
    else:
        _all(journal, json, _dns_name(configured, domain) if domain is not None else None)


def _dns_name(configured: Settings, label: str) -> str:
    """The name by which the journal knows a domain; no domain controller is asked, since history must not need one."""
    try:
        [directory] = configured.need_directories(label).values()
    except ConfigError:
        return label  # the journal may hold runs on a domain that is configured no more
    return directory.dns_name or label


def _all(journal: Journal, json: bool, domain: str | None) -> None:
    runs = journal.runs(domain=domain)
    if json:
        print_json([asdict(each) for each in runs])
        return
    rows = table("Run", "Kind", "Domain", "Server", "Result")
    for each in runs:
        result = each.result or "did not end: it was killed, or runs still"
        kind = f"{each.kind} of {each.undoes}" if each.undoes else each.kind
        rows.add_row(*map(safe, (each.id, kind, each.domain, each.server, result)))
    out.print(rows if runs else "No run yet.")


def _one(journal: Journal, run: str, json: bool) -> None:
    entries = journal.entries(run=journal.run(run).id)
    if json:
        print_json(
            [
                {
                    "seq": entry.seq,
                    "at": entry.at,
                    "action": entry.change.action.value,
                    "account": entry.change.account.name,
                    "dn": entry.change.account.dn,
                    "keyId": entry.change.key_id.hex(),
                    "value": entry.change.value.decode("utf-8", "surrogateescape"),
                    "server": entry.server,
                    "reason": entry.change.reason,
                    "outcome": entry.outcome.value if entry.outcome else None,
                    "detail": entry.detail,
                }
                for entry in entries
            ]
        )
        return
    rows = table("Time (UTC)", "Change", "Account", "Key", "Outcome", "Why")
    for entry in entries:
        rows.add_row(
            entry.at[:19].replace("T", " "),
            entry.change.action,
            safe(entry.change.account.name),
            entry.change.key_id.hex()[:16] + "…",
            entry.outcome or "not known",
            safe(entry.detail or entry.change.reason),
        )
    out.print(rows)
