"""One reading of the registered keys and of all domains, and a plan for each. Changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from keytrust.cloud.source import KeySource
from keytrust.directory.account import Account
from keytrust.directory.domain import Domain
from keytrust.errors import DirectoryError, KeytrustError
from keytrust.sync.match import CloudIndex
from keytrust.sync.model import Context, Plan
from keytrust.sync.planner import Planner
from keytrust.sync.policy import Policy
from keytrust.sync.report import RunReport
from keytrust.sync.runs import Progress, Runs
from keytrust.sync.scope import scope_of
from keytrust.sync.seen import Seen


@dataclass(frozen=True, slots=True)
class Member:
    """One domain that is open."""

    label: str
    domain: Domain
    runs: Runs


@dataclass(frozen=True, slots=True)
class DomainOutcome:
    """What came of one domain.

    Attributes:
        label: Which.
        plan: Its plan; None when it could not be read.
        report: What became of the plan; None when it was not carried out or had no changes.
        fault: Why it could not be read, or not written.
    """

    label: str
    plan: Plan | None = None
    report: RunReport | None = None
    fault: KeytrustError | None = None


def plan_together(
    members: Iterable[Member],
    faults: Mapping[str, KeytrustError],
    chosen: Sequence[str],
    *,
    source: KeySource,
    policy: Policy,
    allow_removals: int | None = None,
    cloud_progress: Progress | None = None,
    directory_progress: Progress | None = None,
) -> list[DomainOutcome]:
    """Read the registered keys once and all domains, and work out what to do in those that are chosen.

    Args:
        members: All open domains.
        faults: Why others are not open, by label.
        chosen: The labels of the domains to plan for.
        source: Where keys are registered.
        policy: What the operator allows.
        allow_removals: The limit on removals that a person set for this run, in each domain.
        cloud_progress: Told the number of users read.
        directory_progress: Told the number of accounts read.

    Raises:
        CloudError: the registered keys could not all be read.
        DirectoryError: not one of the chosen domains could be read.
    """
    cloud, seen, now = CloudIndex(source.read(cloud_progress)), Seen(), datetime.now(UTC)
    planners: dict[str, Planner] = {}
    faults = dict(faults)
    numbers = itertools.count(1)
    for member in members:
        domain = member.domain
        try:
            planner = Planner(
                cloud,
                seen,
                policy=policy,
                wrote=member.runs.journal.wrote_to,
                earlier=member.runs.journal.earlier,
                dialect=domain.dialect,
                context=Context(domain.name, domain.sid, source.name, now),
                scope=scope_of(domain),
            )
            for account in _counted(domain.accounts(), numbers, directory_progress):
                planner.take(account)
        except DirectoryError as error:
            faults[member.label] = error
        else:
            planners[member.label] = planner
    if not any(label in planners for label in chosen):
        raise none_left([faults[label] for label in chosen])
    return [
        DomainOutcome(label, plan=planners[label].finish(allow_removals, unread=tuple(faults)))
        if label in planners
        else DomainOutcome(label, fault=faults[label])
        for label in chosen
    ]


def none_left(faults: Sequence[KeytrustError]) -> KeytrustError:
    """The one error of domains of which not one could be used."""
    if len(faults) == 1:
        return faults[0]
    return DirectoryError(
        f"None of {len(faults)} domains could be used: " + " ".join(fault.message for fault in faults),
        not_done="Nothing was changed.",
        remedy=faults[0].remedy,
        detail="\n".join(fault.detail for fault in faults if fault.detail),
    )


def _counted(accounts: Iterable[Account], numbers: Iterator[int], progress: Progress | None) -> Iterator[Account]:
    for account in accounts:
        number = next(numbers)
        if progress is not None and number % 100 == 0:
            progress(number)
        yield account
