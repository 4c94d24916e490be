"""The audit of a dump, and what it shares with that of a live domain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from sys import getsizeof

from keytrust.audit.auditor import Auditor
from keytrust.audit.catalogue import CATALOGUE
from keytrust.audit.census import Census
from keytrust.audit.devices import Device, of_directory
from keytrust.audit.errors import AuditError
from keytrust.audit.ldif.batch import Batch, Group, Wish
from keytrust.audit.ldif.dump import Dump
from keytrust.audit.model import Code, Finding, fingerprint
from keytrust.audit.planters import Planters, Resolve, resolver

Progress = Callable[[int], None]
Share = Callable[[float], None]
"""Told how much is done, 0 to 1."""

_NO_LDIF_AFTER = 64 << 20
_MAX_GROUP_BYTES = 128 << 20
_DEVICES = 0.05
"""Of the whole work, looking for devices: nearly all dumps have few or none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an audit saw.

    Attributes:
        census: In numbers.
        devices: Where the devices were known from; empty when they were not.
        descriptors: Accounts of which it is known who may write their keys.
    """

    census: Census
    devices: str
    descriptors: int


def audit_dump(
    dump: Dump,
    name: str,
    auditor: Auditor,
    *,
    raw: bool = False,
    expected: Iterable[str] = (),
    progress: Share | None = None,
) -> Outcome:
    """Audit a dump.

    Args:
        dump: The dump.
        name: What to call it.
        auditor: Takes what is in it; its devices are completed by those of the dump.
        raw: Whether the auditor's observer wants the values' bytes.
        expected: Who may write keys, by SID or name.
        progress: Called with the share of the work that is done.

    Raises:
        AuditError: it cannot be read, or is not LDIF.
    """
    tell = progress or (lambda _: None)
    know_devices(auditor, dump.devices(lambda share: tell(_DEVICES * share)), name)
    planters = Planters(expected)
    groups = _Groups()
    wish = Wish(every_user=auditor.context.registered is not None, raw=raw)
    done = damages = 0
    for batch in dump.batches(wish):
        _take_batch(auditor, batch, planters, groups)
        done += batch.size
        damages += len(batch.damages)
        if damages and not auditor.census.objects and done > _NO_LDIF_AFTER:
            break
        tell(_DEVICES + (1 - _DEVICES) * done / dump.size)
    if damages and not auditor.census.objects:
        raise AuditError(
            f"The file {name} is not LDIF: it has not one legible entry.",
            not_done="Nothing was audited.",
            remedy="Dump with ldapsearch -LLL or ldifde -f.",
        )
    auditor.finish()
    add_all(auditor, planters.findings(groups.resolver()))
    return outcome(auditor, planters)


def _take_batch(auditor: Auditor, batch: Batch, planters: Planters, groups: _Groups) -> None:
    for subject, values in batch.accounts:
        auditor.take(subject, values)
    auditor.census.count_empty(batch.users, batch.others)
    planters.take(batch.grants)
    groups.take(batch.groups)
    damages = [(damage.dn, damage.what) for damage in batch.damages]
    if batch.unsaid:
        damages.append(("", f"{batch.unsaid:,} more damaged records"))
    code = Code.DAMAGED_RECORD
    for dn, what in damages:
        auditor.findings.add(Finding(code, CATALOGUE[code].severity, dn, dn, what, fingerprint(code, dn, what)))


class _Groups:
    """The groups of a dump, as many as fit; of one that does not fit whole, the name."""

    def __init__(self) -> None:
        self._by_dn: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._by_sid: dict[str, str] = {}
        self._bytes = 0

    def take(self, groups: Iterable[Group]) -> None:
        for group in groups:
            weight = sum(map(getsizeof, group.members))
            members = group.members if self._bytes + weight <= _MAX_GROUP_BYTES else ()
            key = group.dn.casefold()
            self._bytes += sum(map(getsizeof, (group.name, group.sid, key, *members)))
            if self._bytes <= 2 * _MAX_GROUP_BYTES:
                self._by_dn[key] = (group.name, members)
                self._by_sid[group.sid] = key

    def resolver(self) -> Resolve:
        return resolver(self._by_dn, self._by_sid)


def know_devices(auditor: Auditor, found: list[Device], name: str) -> None:
    """Add the directory's own devices to those that are known."""
    known = auditor.context.devices
    if found:
        own = known.joined(found) if known is not None else of_directory(found, f"the directory ({name})")
        auditor.context = replace(auditor.context, devices=own)


def outcome(auditor: Auditor, planters: Planters) -> Outcome:
    """What an audit saw, at its end."""
    devices = auditor.context.devices
    return Outcome(auditor.census, devices.source if devices is not None else "", planters.accounts)


def add_all(auditor: Auditor, findings: Iterable[Finding]) -> None:
    """Keep findings that are about no single account."""
    for finding in findings:
        auditor.findings.add(finding)
