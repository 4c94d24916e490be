"""What a look at accounts and a run brought, written down: mirror, worklist, findings, and events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from keytrust.cloud.source import CloudUser
from keytrust.directory.account import Account, guid_text
from keytrust.errors import KeytrustError
from keytrust.service import findings
from keytrust.service.alarm import Alarm
from keytrust.service.audit_trail import log_run
from keytrust.service.duty import Duty
from keytrust.service.events import EventKind
from keytrust.service.findings import Finding
from keytrust.service.journal_queries import times_written, written_before
from keytrust.service.limits import DAY
from keytrust.service.link import Linked
from keytrust.service.worklist import Entry, Priority
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import AccountRef, Action, Change, Plan
from keytrust.sync.report import RunReport


class Outcomes:
    """Writes down for one domain; arguments as for ``Worker``."""

    def __init__(self, duty: Duty, link: Linked, journal: Journal, now: Callable[[], float] = time.time) -> None:
        self._duty = duty
        self._link = link
        self._journal = journal
        self._now = now
        self._alarm = Alarm(duty, link, journal)

    # -- before planning ----------------------------------------------------------------------------------------

    def look_at(self, targets: Mapping[bytes, Account], gone: Set[bytes]) -> None:
        """Take accounts into the mirror as they are now; whom else that concerns goes on the worklist."""
        self._report_new_values_of(targets.values())
        with self._duty.writing() as connection:
            self._mirrored(connection, targets.values(), gone, targets.keys())

    def _report_new_values_of(self, accounts: Iterable[Account]) -> None:
        """Before they are mirrored: who is killed in between tells it twice, and not never."""
        with self._duty.reading() as connection:
            new_values = self._duty.mirror.new_values(connection, accounts)
        self._alarm.judge(new_values)

    def without_vanishing(self, plan: Plan) -> Plan:
        """The plan without the additions of keys that were written again and again and do not last."""
        additions = [change for change in plan.changes if change.action is Action.ADD]
        if not additions:
            return plan
        since = datetime.now(UTC) - DAY
        with self._duty.reading() as connection:
            if retried := self._duty.mirror.header(connection)["retried"]:
                since = max(since, datetime.fromisoformat(retried))
            times = times_written(connection, (c.account.guid for c in additions), since)
        limit = self._duty.settings.vanish_limit
        vanishing = {change for change in additions if times.get((change.account.guid, change.key_id), 0) >= limit}
        if not vanishing:
            return plan
        refusals = [findings.vanishing(change, limit) for change in additions if change in vanishing]
        return replace(
            plan,
            changes=tuple(change for change in plan.changes if change not in vanishing),
            refusals=(*plan.refusals, *refusals),
        )

    # -- afterwards ---------------------------------------------------------------------------------------------

    def record(
        self,
        entries: Mapping[bytes, Entry],
        plan: Plan,
        users: Sequence[CloudUser],
        report: RunReport | None,
        *,
        awaiting_removal: Set[bytes],
    ) -> None:
        """Write down what became of a batch.

        Args:
            entries: The worklist's entries, by account.
            plan: Their plan.
            users: The cloud users it was made with.
            report: What was carried out of it; None if there was nothing to do.
            awaiting_removal: Accounts of which a removal is still to be decided on.
        """
        duty, now = self._duty, self._now()
        results = report.results if report else ()
        written = {result.change.account.guid for result in results}
        fresh = self._link.by_guid(sorted(written))
        self._report_new_values_of(fresh.values())  # somebody else may have written there in the same moment
        failed = {
            result.change.account.guid: (result.change.account, result.detail or report.stopped_because)
            for result in results
            if report is not None and result.outcome not in (Outcome.CONFIRMED, Outcome.NOT_SENT)
        }
        # What was not sent is nobody's fault: it stays where it is on the list.
        unsent = {result.change.account.guid for result in results if result.outcome is Outcome.NOT_SENT}
        left = failed.keys() | unsent
        found = [*map(Finding.of_conflict, plan.conflicts), *map(Finding.of_refusal, plan.refusals)]
        with duty.writing() as connection:
            self._mirrored(connection, fresh.values(), set(), entries.keys())
            new_findings = findings.replace(connection, duty.mirror, entries.keys(), found)
            done = [e for guid, e in entries.items() if guid not in left and guid not in awaiting_removal]
            duty.worklist.strike(connection, done)
            duty.worklist.await_removal(connection, [entries[g] for g in awaiting_removal if g not in left])
            pauses = {}
            if not duty.stopping():
                for guid, (account, why) in failed.items():
                    pauses[guid] = duty.worklist.set_aside(connection, entries[guid], account.name, why, now) - now
        for finding in new_findings:
            duty.tell(finding.event, finding.sentence, finding.account, code=finding.code, keyId=finding.key_id.hex())
        for guid, pause in pauses.items():
            account, why = failed[guid]
            self._tell_set_aside(account.name, why, entries[guid].attempts + 1, pause, account)
        if report is not None:
            self._tell_written(report, entries, users)

    def set_aside(self, entry: Entry, error: Exception) -> None:
        """Set an account aside that could not even be planned."""
        why = error.told if isinstance(error, KeytrustError) else f"internal fault: {type(error).__name__}: {error}"
        name, now = guid_text(entry.guid), self._now()
        with self._duty.writing() as connection:
            again = self._duty.worklist.set_aside(connection, entry, name, why, now)
        self._tell_set_aside(name, why, entry.attempts + 1, again - now)

    def would(self, changes: Iterable[Change]) -> None:
        """Staging mode: tell of changes that are not made."""
        for change in changes:
            self._duty.tell(
                EventKind.WOULD_WRITE,
                f"{change.account.name}: would {change.action} a key ({change.reason}).",
                change.account,
                action=change.action.value,
                keyId=change.key_id.hex(),
            )

    # -- helpers ------------------------------------------------------------------------------------------------

    def _mirrored(self, connection: Connection, found: Iterable[Account], gone: Set[bytes], busy: Set[bytes]) -> None:
        """Take accounts into the mirror; those concerned that are not being worked on go on the worklist."""
        mirror = self._duty.mirror
        affected = mirror.put_accounts(connection, list(found), mirror.header(connection)["stamp"])
        affected |= mirror.drop_accounts(connection, gone)
        self._duty.worklist.add(connection, affected - set(busy), self._now(), Priority.CHANGE)

    def _tell_set_aside(
        self, name: str, why: str, attempts: int, pause: float, account: AccountRef | None = None
    ) -> None:
        sentence = f"{name}: {why.rstrip('.')}; tried again in {pause:.0f} s."
        self._duty.tell(EventKind.SET_ASIDE, sentence, account, attempts=attempts, again=round(pause, 1))

    def _tell_written(self, report: RunReport, entries: Mapping[bytes, Entry], users: Sequence[CloudUser]) -> None:
        created = {key.key_id: key.created for user in users for key in user.keys.keys if key.created is not None}
        now = self._now()
        log_run(self._journal, report.run, self._link.connector)
        with self._duty.reading() as connection:
            before = written_before(connection, (result.change.account.guid for result in report.results), report.run)
        for result in report.results:
            if result.outcome is not Outcome.CONFIRMED:
                continue
            change, entry = result.change, entries[result.change.account.guid]
            added = change.action is Action.ADD
            registered = created.get(change.key_id) if added else None
            seen = now - entry.since
            age = now - registered.timestamp() if registered is not None else seen
            # A key that was registered long ago, or that somebody deleted, says nothing about how quick we are.
            telling = entry.priority is Priority.CHANGE and not (
                added and (change.account.guid, change.key_id) in before
            )
            self._duty.tell(
                EventKind.WRITTEN,
                f"{change.account.name}: {change.action} of a key confirmed ({change.reason}).",
                change.account,
                action=change.action.value,
                keyId=change.key_id.hex(),
                run=report.run,
                server=result.server,
                seconds=round(max(0.0, age), 3) if telling else None,
                seenSeconds=round(max(0.0, seen), 3),
            )
