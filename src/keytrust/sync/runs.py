"""The three things an operator does: plan, carry a plan out, take a run back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Engine

from keytrust import interrupts
from keytrust.cloud.source import KeySource
from keytrust.directory.account import Account
from keytrust.directory.domain import Domain
from keytrust.errors import PlanError, StoreError
from keytrust.store.lease import Lease, writer
from keytrust.sync.carrying import Place, carry_out
from keytrust.sync.journal import Journal
from keytrust.sync.model import AccountRef, Change, Context, Plan
from keytrust.sync.planfile import check_still_valid
from keytrust.sync.planner import make_plan
from keytrust.sync.policy import Policy
from keytrust.sync.report import RunReport
from keytrust.sync.scope import scope_of
from keytrust.sync.undo import UndoPlan, plan_undo

Progress = Callable[[int], None]
Item = TypeVar("Item")


class Runs:
    """Plans and runs for one domain, one key source and one store."""

    def __init__(self, domain: Domain, source: KeySource | None, store: Engine, policy: Policy) -> None:
        """``source`` may be None for an undo, which asks nothing of the cloud."""
        self._domain = domain
        self._source = source
        self._store = store
        self._policy = policy
        self._lease: Lease | None = None
        self.journal = Journal(store)

    def plan(
        self,
        *,
        allow_removals: int | None = None,
        cloud_progress: Progress | None = None,
        directory_progress: Progress | None = None,
    ) -> Plan:
        """Read both sides completely and work out what to do. Changes nothing.

        Raises:
            CloudError: the registered keys could not all be read.
            DirectoryError: the accounts could not all be read.
        """
        source = self._needed_source()
        return make_plan(
            source.read(cloud_progress),
            _counted(self._domain.accounts(), directory_progress),
            policy=self._policy,
            wrote=self.journal.wrote_to,
            earlier=self.journal.earlier,
            dialect=self._domain.dialect,
            context=Context(self._domain.name, self._domain.sid, source.name, datetime.now(UTC)),
            allow_removals=allow_removals,
            scope=scope_of(self._domain),
        )

    def apply_saved(
        self, saved: Plan, *, allow_removals: int | None = None, progress: Progress | None = None
    ) -> RunReport:
        """Carry out a saved plan exactly as it was reviewed.

        Raises:
            PlanError: its world has moved; nothing was changed.
        """
        with self.writing("apply"):
            check_still_valid(saved, self.plan(allow_removals=allow_removals))
            return self.carry_out_locked("apply", saved.changes, progress)

    def sync(
        self,
        *,
        allow_removals: int | None = None,
        seen: Callable[[Plan], None] | None = None,
        progress: Progress | None = None,
    ) -> tuple[Plan, RunReport | None]:
        """Plan and carry it out in one go; no run is opened when there is nothing to do.

        Args:
            allow_removals: The limit on removals for this run.
            seen: Told the plan before it is carried out.
            progress: Called with the number of changes whose outcome is known.
        """
        with self.writing("sync"):
            plan = self.plan(allow_removals=allow_removals)
            if seen is not None:
                seen(plan)
            return plan, self.carry_out_locked("sync", plan.changes, progress) if plan.changes else None

    def plan_undo(self, run: str, account: str | None = None, *, last_here: bool = False) -> tuple[str, UndoPlan]:
        """Work out how to take back a run, given by its id or ``last``; returns its id too.

        Args:
            run: The run.
            account: Only what it did to this account, given by name, SID or DN as the journal has them.
            last_here: Whether ``last`` means the last on this domain; else the last of all.

        Raises:
            StoreError: the journal has no such run.
            PlanError: it was a run on another domain, or did nothing to the account.
        """
        record = self.journal.run(run, self._domain.sid if last_here else None)
        if record.domain_sid != self._domain.sid:
            raise PlanError(
                f"Run {record.id} was on the domain {record.domain}, not {self._domain.name}.",
                not_done="Nothing was changed.",
                remedy="Use the configuration of that domain.",
            )
        entries = self.journal.entries(run=record.id)
        if account is not None:
            entries = [entry for entry in entries if _is(entry.change.account, account)]
            if not entries:
                raise PlanError(
                    f"Run {record.id} changed nothing on the account {account}.",
                    not_done="Nothing was changed.",
                    remedy=f"keytrust history {record.id} lists what it changed.",
                )
        accounts = self._domain.by_guid(list({entry.change.account.guid for entry in entries}))
        return record.id, plan_undo(entries, accounts)

    def undo(self, run: str, plan: UndoPlan, *, progress: Progress | None = None) -> RunReport:
        """Carry out an undo. It is a run like any other: journaled, confirmed, and can itself be undone."""
        with self.writing("undo"):
            return self.carry_out_locked("undo", plan.changes, progress, undoes=run)

    def carry_out(self, kind: str, changes: Sequence[Change], *, progress: Progress | None = None) -> RunReport:
        """Carry out changes that were decided elsewhere, as a run of this kind: journaled, confirmed, to be undone."""
        with self.writing(kind):
            return self.carry_out_locked(kind, changes, progress)

    @contextmanager
    def writing(self, kind: str) -> Iterator[None]:
        """Be the one who writes to this domain.

        Raises:
            StoreError: somebody else is; names them.
        """
        with writer(self._store, self._domain.sid, f"keytrust {kind}") as lease:
            self._lease = lease
            try:
                yield
            finally:
                self._lease = None

    def carry_out_locked(
        self, kind: str, changes: Sequence[Change], progress: Progress | None = None, undoes: str | None = None
    ) -> RunReport:
        """As ``carry_out``, for a caller that is within ``writing`` already."""
        lease = self._lease
        if lease is None:
            raise StoreError("A change was about to be made by who is not the writer.", not_done="Nothing was changed.")
        return carry_out(
            kind,
            changes,
            place=Place(
                self._domain.name,
                self._domain.sid,
                self._domain.controller.host,
                self._source.name if self._source else "",
            ),
            directory=self._domain,
            journal=Journal(self._store, lease.fence),
            in_flight=self._domain.settings.in_flight,
            progress=progress,
            told_to_stop=lambda: interrupts.pending() or not lease.held(),
            undoes=undoes,
        )

    def _needed_source(self) -> KeySource:
        if self._source is None:
            raise PlanError("A plan needs a key source.", remedy="Fill in [cloud] in the configuration.")
        return self._source


def _is(account: AccountRef, name: str) -> bool:
    return name.casefold() in (account.name.casefold(), account.dn.casefold(), account.sid.casefold())


def _counted(accounts: Iterable[Account], progress: Progress | None) -> Iterator[Account]:
    for number, account in enumerate(accounts, 1):
        if progress is not None and number % 100 == 0:
            progress(number)
        yield account
