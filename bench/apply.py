"""Carrying out a plan on a real domain controller, beside bare pipelined python-ldap modifies of the same values.

Ours journals every value durably before it is sent and reads every one back; the bare loop does neither. Both have the
same number of changes in flight. They take turns on the same accounts, and the ratio is taken pair by pair.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import shake_256
from pathlib import Path
from statistics import median
from time import perf_counter
from uuid import UUID

import ldap
from ldap.ldapobject import SimpleLDAPObject

from bench.result import BenchResult
from bench.site import bench_lab
from keytrust import config
from keytrust.credential import Dialect, attribute_text, build, to_rsa1
from keytrust.directory.account import KEY_LINK, Account, guid_text
from keytrust.directory.connection import connect
from keytrust.directory.domain import Domain
from keytrust.directory.kerberos import ticket_cache
from keytrust.directory.settings import DirectorySettings
from keytrust.lab import LabUser
from keytrust.store.database import open_store
from keytrust.sync.apply import apply_changes
from keytrust.sync.journal import Journal
from keytrust.sync.model import AccountRef, Action, Change

USERS, PAIRS = 1500, 3
TARGET_RATIO = 0.95


def run() -> list[BenchResult]:
    """Measure pairs of additions, ours and bare in alternating order."""
    with bench_lab() as lab, tempfile.TemporaryDirectory() as folder:
        lab.add_users([LabUser(f"bench{number}") for number in range(USERS)])
        settings = config.load(lab.spec.config).need_directory()
        journal = Journal(open_store(f"sqlite:///{Path(folder)}/keytrust.db"))
        with Domain(settings) as domain, ticket_cache(settings) as cache:
            accounts = [account for account in domain.accounts() if account.name.startswith("bench")]
            connection = connect(settings, settings.servers[0], cache)
            additions = [addition(account) for account in accounts]
            _bare(connection, settings, additions[:50], ldap.MOD_ADD)  # warm
            _bare(connection, settings, additions[:50], ldap.MOD_DELETE)
            ours: list[float] = []
            bare: list[float] = []
            for pair in range(PAIRS):
                for which in (ours, bare) if pair % 2 else (bare, ours):
                    if which is ours:
                        ours.append(_ours(domain, journal, additions))
                    else:
                        bare.append(_bare(connection, settings, additions, ldap.MOD_ADD))
                    _bare(connection, settings, additions, ldap.MOD_DELETE)
            connection.unbind_s()
    ratio = median(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
    return [
        BenchResult("apply.rate", median(ours), "changes/s"),
        BenchResult("apply.bare_rate", median(bare), "changes/s"),
        BenchResult.at_least("apply.ratio_to_bare", ratio, "times", TARGET_RATIO),
    ]


def _ours(domain: Domain, journal: Journal, additions: Sequence[Change]) -> float:
    run = journal.start_run("bench", domain=domain.name, domain_sid=domain.sid, server="", source="", operator="")
    began = perf_counter()
    report = apply_changes(additions, directory=domain, journal=journal, run=run, in_flight=domain.settings.in_flight)
    seconds = perf_counter() - began
    assert report.complete
    return len(additions) / seconds


def _bare(
    connection: SimpleLDAPObject, settings: DirectorySettings, changes: Sequence[Change], operation: int
) -> float:
    waiting = 0
    began = perf_counter()
    for change in changes:
        target = f"<GUID={guid_text(change.account.guid)}>"
        connection.modify_ext(target, [(operation, KEY_LINK, [change.value])])
        waiting += 1
        if waiting == settings.in_flight:
            connection.result3(ldap.RES_ANY)
            waiting -= 1
    while waiting:
        connection.result3(ldap.RES_ANY)
        waiting -= 1
    return len(changes) / (perf_counter() - began)


def addition(account: Account) -> Change:
    """A key that is the account's own, to be added."""
    number = int.from_bytes(shake_256(account.guid).digest(256), "big") | 1 << 2047 | 1
    credential = build(
        to_rsa1(number, 65537),
        device_id=UUID(bytes=account.guid),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        dialect=Dialect.PORTABLE,
    )
    value = attribute_text(credential, account.dn).encode()
    return Change(Action.ADD, AccountRef.of(account), value, credential.computed_key_id or b"", "bench")
