"""All configured domains together: planned over what is known of all of them, carried out one by one.

Each domain has its own plan, its own limit on removals and its own run in the journal. A domain that cannot be read or
written does not stop the others; its fault takes the place of its plan or report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from keytrust.cloud.source import KeySource
from keytrust.directory.account import Account
from keytrust.errors import ConfigError, DirectoryError, KeytrustError, PlanError
from keytrust.sync.joint_plan import DomainOutcome, Member, none_left, plan_together
from keytrust.sync.model import Plan
from keytrust.sync.planfile import check_still_valid
from keytrust.sync.policy import Policy
from keytrust.sync.runs import Progress


class Estate:
    """Every configured domain that could be opened, and the faults of those that could not.

    Attributes:
        members: The open domains by label.
        faults: Why the others are not open, by label.
        chosen: The labels of the domains to work on. The rest is read all the same: a key that an account of theirs
            holds must be given to nobody else.
    """

    def __init__(
        self,
        members: Sequence[Member],
        faults: dict[str, KeytrustError],
        chosen: Sequence[str],
        *,
        source: KeySource | None,
        policy: Policy,
    ) -> None:
        self.members = {member.label: member for member in members}
        self.faults = dict(faults)
        self.chosen = tuple(chosen)
        self._source = source
        self._policy = policy
        if not any(label in self.members for label in chosen):
            raise none_left([faults[label] for label in chosen])
        by_sid: dict[str, str] = {}
        for member in members:
            other = by_sid.setdefault(member.domain.sid, member.label)
            if other != member.label:
                raise ConfigError(
                    f"{other} and {member.label} are one and the same domain, {member.domain.name}.",
                    not_done="Nothing was read or changed.",
                    remedy="Configure it once; further domain controllers go into servers.",
                )

    @property
    def several(self) -> bool:
        """Whether there is more than one domain to work on."""
        return len(self.chosen) > 1

    def working(self) -> list[Member]:
        """The open domains to work on."""
        return [self.members[label] for label in self.chosen if label in self.members]

    def plan(
        self,
        *,
        allow_removals: int | None = None,
        cloud_progress: Progress | None = None,
        directory_progress: Progress | None = None,
    ) -> list[DomainOutcome]:
        """See ``plan_together``."""
        if self._source is None:
            raise PlanError("A plan needs a key source.", remedy="Fill in [cloud] in the configuration.")
        return plan_together(
            self.members.values(),
            self.faults,
            self.chosen,
            source=self._source,
            policy=self._policy,
            allow_removals=allow_removals,
            cloud_progress=cloud_progress,
            directory_progress=directory_progress,
        )

    def sync(
        self,
        *,
        allow_removals: int | None = None,
        seen: Callable[[list[DomainOutcome]], None] | None = None,
        progress: Progress | None = None,
    ) -> list[DomainOutcome]:
        """Plan and carry it out in one go; see ``plan``. A domain in which nothing is to be done gets no run.

        Args:
            allow_removals: The limit on removals for this run, in each domain.
            seen: Told the plans before they are carried out.
            progress: Called with the number of changes, over all domains, whose outcome is known.
        """
        with self._writing("sync"):
            planned = self.plan(allow_removals=allow_removals)
            if seen is not None:
                seen(planned)
            return list(self._carried_out("sync", planned, progress))

    def apply_saved(
        self, saved: Sequence[Plan], *, allow_removals: int | None = None, progress: Progress | None = None
    ) -> list[DomainOutcome]:
        """Carry out saved plans exactly as they were reviewed, each in its own domain.

        A plan whose world has moved is refused as a whole, by a fault in its outcome, and the others are carried out.

        Raises:
            PlanError: there is only one and it is refused, or one is for no domain that is configured, or two are for
                the same; nothing was changed.
        """
        with self._writing("apply"):
            fresh = {
                each.plan.context.domain_sid: each for each in self.plan(allow_removals=allow_removals) if each.plan
            }
            ready: list[DomainOutcome] = []
            for plan in saved:
                if sum(other.context.domain_sid == plan.context.domain_sid for other in saved) > 1:
                    raise PlanError(f"Two of the plans are for {plan.context.domain}.", not_done="Nothing was changed.")
                now = fresh.get(plan.context.domain_sid)
                label = now.label if now else plan.context.domain
                try:
                    if now is None or now.plan is None:
                        raise self._no_such_domain(plan.context.domain)
                    check_still_valid(plan, now.plan)
                except KeytrustError as error:
                    if len(saved) == 1:
                        raise
                    ready.append(DomainOutcome(label, plan=plan, fault=error))
                else:
                    ready.append(DomainOutcome(label, plan=plan))
            return list(self._carried_out("apply", ready, progress))

    def member_of_run(self, run: str, *, last_here: bool = False) -> Member:
        """The domain that a run was on; see ``Runs.plan_undo``.

        Raises:
            StoreError: the journal has no such run.
            PlanError: its domain is not configured, or not chosen.
            DirectoryError: its domain could not be opened.
        """
        first = self.working()[0]
        record = first.runs.journal.run(run, first.domain.sid if last_here else None)
        for member in self.working():
            if member.domain.sid == record.domain_sid:
                return member
        raise self._no_such_domain(record.domain, f"Run {record.id} was on")

    def find(self, name: str) -> tuple[Member, Account]:
        """The one account of this name, in whichever domain it is; see ``Domain.find``.

        Raises:
            DirectoryError: there is none in the domains that are open, or one in several.
        """
        found: list[tuple[Member, Account]] = []
        nowhere: list[DirectoryError] = []
        for member in self.working():
            try:
                found.append((member, member.domain.find(name)))
            except DirectoryError as error:
                nowhere.append(error)
        if len(found) > 1:
            raise DirectoryError(
                f"{name} names an account in {len(found)} domains: {', '.join(m.domain.name for m, _ in found)}.",
                remedy="Name the domain with --domain, or give the account's UPN, SID or distinguished name.",
            )
        if not found:
            unread = f" Not looked for in {', '.join(self.faults)}, which cannot be had now." if self.faults else ""
            raise DirectoryError(
                " ".join(error.message for error in nowhere) + unread,
                remedy=nowhere[0].remedy,
                detail="\n".join(each.detail for each in (*nowhere, *self.faults.values()) if each.detail),
            )
        return found[0]

    @contextmanager
    def _writing(self, kind: str) -> Iterator[None]:
        with ExitStack() as stack:
            for member in self.working():
                stack.enter_context(member.runs.writing(kind))
            yield

    def _carried_out(
        self, kind: str, planned: Sequence[DomainOutcome], progress: Progress | None
    ) -> Iterator[DomainOutcome]:
        before = 0

        def count(done: int) -> None:
            if progress is not None:
                progress(before + done)

        for each in planned:
            if each.plan is None or each.fault is not None or not each.plan.changes:
                yield each
                continue
            try:
                report = self.members[each.label].runs.carry_out_locked(kind, each.plan.changes, progress=count)
            except DirectoryError as error:
                if len(planned) == 1:
                    raise
                yield DomainOutcome(each.label, plan=each.plan, fault=error)
            else:
                yield DomainOutcome(each.label, plan=each.plan, report=report)
            before += len(each.plan.changes)

    def _no_such_domain(self, domain: str, what: str = "The plan is for") -> KeytrustError:
        for label in self.chosen:
            if label in self.faults and (len(self.chosen) == 1 or label.casefold() == domain.casefold()):
                return self.faults[label]
        names = ", ".join(member.domain.name for member in self.working())
        missing = f"; not to be had now: {', '.join(self.faults)}" if self.faults else ""
        return PlanError(
            f"{what} the domain {domain}, not {names}{missing}.",
            not_done="Nothing was changed.",
            remedy="Use the configuration of that domain.",
        )
