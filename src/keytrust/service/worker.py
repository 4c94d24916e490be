"""Working off the worklist: a batch of accounts is read, planned, written and read back.

Additions are made as soon as they are planned. Removals wait until there is nothing else to do, and are then decided on
all together, so that the limit sees how many they are (rule 4).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from keytrust.cloud.source import CloudUser
from keytrust.directory.account import Account
from keytrust.directory.membership import ScopeError
from keytrust.errors import DirectoryError, StoreError
from keytrust.service.duty import Duty
from keytrust.service.events import EventKind
from keytrust.service.limits import held_because
from keytrust.service.link import Linked
from keytrust.service.mending import Mending
from keytrust.service.outcomes import Outcomes
from keytrust.service.planning import plan_accounts, world_of
from keytrust.service.worklist import HELD_SECONDS, Entry
from keytrust.sync.carrying import carry_out
from keytrust.sync.journal import Journal
from keytrust.sync.model import Action, Change, Context, Plan
from keytrust.sync.report import RunReport

BATCH = 100
"""Accounts planned together: so few that a change is not long behind a batch of a complete read."""
READ_TOGETHER, MOST_VALUES = 20, 5_000
"""Accounts read together, and the values after which no more are read before these are planned: whoever floods accounts
with values must not end the service for want of memory, again and again, before it has told of them."""


class UnwritableError(DirectoryError):
    """The domain as a whole takes no changes now, so that no account is to blame."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, with the entries and users it was made from."""

    entries: dict[bytes, Entry]
    plan: Plan
    users: tuple[CloudUser, ...]

    def changes(self, action: Action) -> list[Change]:
        """Its changes of one kind."""
        return [change for change in self.plan.changes if change.action is action]


class Worker:
    """Works off one domain's list.

    Args:
        duty: The domain.
        link: The directory.
        now: Seconds since 1970.
    """

    def __init__(self, duty: Duty, link: Linked, *, now: Callable[[], float] = time.time) -> None:
        self._duty = duty
        self._link = link
        self._now = now
        self._journal = Journal(duty.store, duty.lease.fence)
        self._outcomes = Outcomes(duty, link, self._journal, now)
        self.mending = Mending(duty, link, self._journal)
        """Takes what replication has lost."""
        self.beat = time.monotonic()
        """When it last began with a batch, by the monotonic clock: one call of ``work`` may take an hour."""

    def work(self) -> None:
        """Do everything that is due.

        Raises:
            DirectoryError: the domain cannot be reached; the list stays as it is.
            StoreError: the store failed, or somebody else is the writer now.
        """
        duty = self._duty
        with duty.reading() as connection:
            if duty.mirror.header(connection)["rebuilt"] is None:
                return  # half a mirror is no ground for a decision
        while not duty.stopping():
            with duty.reading() as connection:
                entries = duty.worklist.due(connection, self._now(), BATCH)
            if not entries:
                break
            self._each_on_its_own_if_need_be(entries, self._work_on)
        if not duty.stopping():
            self._decide_on_removals()
        if not duty.stopping():
            self.mending.work()

    def _each_on_its_own_if_need_be(
        self, entries: Sequence[Entry], do: Callable[[Sequence[Entry]], None], *, again: bool = False
    ) -> None:
        """Work on entries together; when that fails, on each alone, so that one bad account is in nobody's way."""
        try:
            do(entries)
        except UnwritableError:
            self._link.drop()
            raise
        except (StoreError, ScopeError):
            raise
        except Exception as error:
            if isinstance(error, DirectoryError):
                self._link.drop()
            self._link.by_guid([bytes(16)])  # raises if it is the directory and not an account
            if again:
                self._outcomes.set_aside(entries[0], error)
                return
            for entry in entries:  # one alone too: it may have been the connection, which is a new one now
                self._each_on_its_own_if_need_be([entry], do, again=True)

    def _work_on(self, entries: Sequence[Entry]) -> None:
        for planned in self._plans(entries):
            self._carry_out(planned, planned.changes(Action.ADD))

    # -- planning -----------------------------------------------------------------------------------------------

    def _plans(self, entries: Sequence[Entry]) -> Iterator[Planned]:
        """The plan of all; where they hold very many values, several plans, each made when it is asked for."""
        part: list[Entry] = []
        targets: dict[bytes, Account] = {}
        for start in range(0, len(entries), READ_TOGETHER):
            some = entries[start : start + READ_TOGETHER]
            part += some
            targets |= self._link.by_guid([entry.guid for entry in some])
            if sum(len(account.values) for account in targets.values()) > MOST_VALUES:
                yield self._plan(part, targets)
                part, targets = [], {}
        if part:
            yield self._plan(part, targets)

    def _plan(self, entries: Sequence[Entry], targets: Mapping[bytes, Account]) -> Planned:
        self.beat = time.monotonic()
        duty = self._duty
        by_guid = {entry.guid: entry for entry in entries}
        self._outcomes.look_at(targets, gone=by_guid.keys() - targets.keys())
        with duty.reading() as connection:
            world = world_of(connection, duty.mirror, targets.values())
        plan = plan_accounts(
            targets,
            self._link.by_guid(sorted(world.neighbours)),
            world,
            policy=duty.policy,
            wrote=self._journal.wrote_to,
            earlier=self._journal.earlier,
            dialect=self._link.dialect,
            context=Context(duty.domain, duty.domain_sid, duty.source.name, datetime.now(UTC)),
            scope=self._link.scope(list(targets)),
        )
        return Planned(by_guid, self._outcomes.without_vanishing(plan), world.users)

    # -- writing ------------------------------------------------------------------------------------------------

    def _carry_out(self, planned: Planned, changes: Sequence[Change], *, decided: bool = False) -> None:
        duty = self._duty
        report = None
        if changes and duty.settings.staging:
            self._outcomes.would(changes)
        elif changes:
            report = self._carried_out(changes)
        waiting = set() if decided else {change.account.guid for change in planned.changes(Action.REMOVE)}
        self._outcomes.record(planned.entries, planned.plan, planned.users, report, awaiting_removal=waiting)
        if report is not None and report.stopped_because and not duty.stopping():
            raise UnwritableError(f"{duty.domain}: {report.stopped_because}.")

    def _carried_out(self, changes: Sequence[Change]) -> RunReport:
        duty = self._duty
        try:
            return carry_out(
                "run",
                changes,
                place=self._link.place(duty.source.name),
                directory=self._link,
                journal=self._journal,
                in_flight=32,
                told_to_stop=duty.stopping,
            )
        except DirectoryError as error:
            raise UnwritableError(error.message, remedy=error.remedy, detail=error.detail) from error

    def _decide_on_removals(self) -> None:
        duty = self._duty
        planned: list[Planned] = []
        entries: list[Entry] = []
        while not duty.stopping():
            with duty.reading() as connection:
                waiting = duty.worklist.due(connection, self._now(), len(entries) + BATCH, removals=True)
            self.beat = time.monotonic()
            more = waiting[len(entries) :]
            if not more:
                break
            entries += more
            self._each_on_its_own_if_need_be(more, lambda some: planned.extend(list(self._plans(some))))
            removals = sum(len(each.changes(Action.REMOVE)) for each in planned)
            theirs = self._link.time() if removals else None
            with duty.reading() as connection:
                refused = held_because(connection, duty, removals, theirs)
            if refused:
                self._hold_back(refused, removals)
                return
        for each in planned:
            if duty.stopping():
                return
            self.beat = time.monotonic()
            self._carry_out(each, each.plan.changes, decided=True)

    def _hold_back(self, why: str, removals: int) -> None:
        duty = self._duty
        with duty.writing() as connection:
            told = duty.worklist.hold_removals(connection, self._now() + HELD_SECONDS, why)
        if told:
            duty.tell(EventKind.CAP_REACHED, why, removals=removals)
