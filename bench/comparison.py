"""What must not be after a service has been through something: both sides and the journal, value by value."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import func, select
from tests.support.running import RunningService

from bench.traffic import Traffic
from keytrust.credential import KeyCredentialLink
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.lab import LabUser
from keytrust.store.database import open_store
from keytrust.store.tables import journal as journal_table
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import Action


@dataclass
class Wrongs:
    """What must not be, counted."""

    missing: int = 0
    surplus: int = 0
    foreign_touched: int = 0
    unjournaled: int = 0
    twice: int = 0
    chain: str = ""
    which: list[str] = field(default_factory=list)
    rightly_again: int = 0
    """Keys written a second time after somebody had deleted them: not wrong, and counted."""

    def total(self) -> int:
        return self.missing + self.surplus + self.foreign_touched + self.unjournaled + self.twice + bool(self.chain)


def settled(
    service: RunningService, users: list[LabUser], traffic: Traffic, planted: dict[str, bytes]
) -> tuple[Wrongs, int]:
    """What is wrong when everything has had time to come to rest: a minute in which nothing gets better."""
    deadline, least = time.monotonic() + 60, None
    while True:
        wrongs = compare(service, users, traffic, planted)
        if least is None or wrongs.total() < least:
            deadline, least = time.monotonic() + 60, wrongs.total()
        if not wrongs.total() or time.monotonic() > deadline:
            break
        time.sleep(1)
    if wrongs.total():
        print("the service said at last:", *service.log.read_text().splitlines()[-20:], sep="\n", file=sys.stderr)
    service.stop()
    engine = open_store(service.store)
    journal = Journal(engine)
    entries = journal.entries()
    try:
        journal.verify()
    except Exception as error:
        wrongs.chain = str(error)
    written: dict[tuple[bytes, bytes], str] = {}
    for entry in entries:
        if entry.outcome is Outcome.CONFIRMED:
            name, key = entry.change.account.name, (entry.change.account.guid, entry.change.key_id)
            before = written.pop(key, None)
            if entry.change.action is Action.ADD:
                written[key] = entry.at
                if before is not None and traffic.rightly_again(name, before, entry.at):
                    wrongs.rightly_again += 1
                elif before is not None:
                    wrongs.twice += 1
                    wrongs.which.append(f"{name}: {key[1].hex()[:8]}, written {before}, again {entry.at} ({entry.run})")
    engine.dispose()
    return wrongs, sum(entry.outcome is Outcome.CONFIRMED for entry in entries)


def compare(
    service: RunningService,
    users: list[LabUser],
    traffic: Traffic,
    planted: dict[str, bytes],
    directory: DirectorySettings | None = None,
) -> Wrongs:
    """Both sides, value by value; the directory's by the service's own settings, or as another part of it has them."""
    wrongs = Wrongs()
    engine = open_store(service.store)
    journal = Journal(engine)
    with Domain(directory or service.settings.need_directory()) as domain:
        accounts = {account.name: account for account in domain.accounts()}
    for user in users:
        account = accounts[user.sam]
        wanted = set(traffic.registered.get(user.sam, []))
        foreign = planted.get(user.sam)
        wrongs.foreign_touched += foreign is not None and foreign not in account.values
        ours = [value for value in account.values if value != foreign]
        there = [KeyCredentialLink.parse(value).credential.key_id for value in ours]
        unjournaled = sum(journal.wrote(account.guid, value) is None for value in ours)
        wrongs.missing += len(wanted - set(there))
        wrongs.surplus += len(there) - len(wanted & set(there))
        wrongs.unjournaled += unjournaled
        if wanted != set(there) or len(there) != len(wanted) or unjournaled:
            wrongs.which.append(
                f"{user.sam}: wanted {_short(wanted)}, there {_short(there)}, {unjournaled} of these not in the journal"
            )
    engine.dispose()
    return wrongs


def _short(key_ids: Iterable[bytes | None]) -> list[str]:
    return sorted((key_id or b"").hex()[:8] for key_id in key_ids)


def journaled(service: RunningService) -> int:
    """The number of its journal's last row, which grows with every change."""
    engine = open_store(service.store)
    with engine.connect() as connection:
        rows: int = connection.execute(select(func.max(journal_table.c.seq))).scalar() or 0
    engine.dispose()
    return rows


def await_change(service: RunningService) -> None:
    """Wait until the service has journaled something more."""
    before = journaled(service)
    service.eventually(lambda: journaled(service) > before, "a change")
