"""Carrying a set-up step out: each change checked, journaled, made, seen in effect, and only then the next."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pwd import getpwuid

from keytrust.deploy.errors import SetupError
from keytrust.deploy.journal import Outcome, SetupJournal
from keytrust.deploy.step import Change, State, Step, World
from keytrust.directory.editor import ChangeLostError
from keytrust.errors import KeytrustError
from keytrust.store.lease import writer

_LEASE = "keytrust setup"
"""One step at a time, whatever the domain. A service that writes keys has other leases and is not hindered."""


class Became(StrEnum):
    """What became of one change of a step."""

    DONE = "done"
    ALREADY = "already"
    """It was in effect before; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Result:
    """A change and what became of it."""

    change: Change
    became: Became


@dataclass(slots=True)
class StepReport:
    """A step that was carried out.

    Attributes:
        run: The run's id, by which it is undone.
        results: Every change, in order.
    """

    run: str
    results: list[Result] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who carries a step out, for the journal.

    Attributes:
        domain: DNS name of the domain, or of this machine for steps that change only files.
        server: The domain controller.
        identity: The account it is done with.
    """

    domain: str
    server: str
    identity: str


def carry_out(
    step: Step,
    world: World,
    journal: SetupJournal,
    actor: Actor,
    progress: Callable[[int], None] = lambda _: None,
) -> StepReport:
    """Make a step's changes in order, stopping at the first that cannot be made.

    Args:
        step: As it was shown.
        world: What it was planned for.
        journal: Where each change is recorded before it is made.
        actor: For the journal.
        progress: Told how many changes are done.

    Raises:
        SetupError: the world has moved since the step was planned, or does not show what it took; says how far it got.
        KeytrustError: a change was refused; the ones before it are made and journaled.
    """
    with writer(journal.engine, _LEASE, _LEASE):
        run = journal.start_run(
            step.name,
            domain=actor.domain,
            server=actor.server,
            identity=actor.identity,
            operator=local_operator(),
            undoes=step.undoes,
        )
        report = StepReport(run)
        try:
            for change in step.changes:
                report.results.append(_make(change, world, journal, run))
                progress(len(report.results))
        except KeytrustError as error:
            done = sum(result.became is Became.DONE for result in report.results)
            journal.finish_run(run, f"stopped after {done} of {len(step.changes)} changes: {error.message}")
            if done:
                error.remedy = f"{error.remedy} What was done is taken back by: keytrust setup undo {run}".strip()
            raise
        done = sum(result.became is Became.DONE for result in report.results)
        journal.finish_run(run, f"{done} changes made")
    return report


def _make(planned: Change, world: World, journal: SetupJournal, run: str) -> Result:
    change = planned.resolved(world)
    standing = change.standing(world)
    if standing.state is State.DONE:
        return Result(change, Became.ALREADY)
    if standing.state is State.MOVED:
        raise SetupError(
            f"Not as it was when this was planned: {standing.moved}.",
            not_done=f"This was not done, nor anything after it: {change.summary}.",
            remedy="Run the command again: it plans anew.",
        )
    seq = journal.intend(run, change)
    try:
        note = change.apply(world)
    except ChangeLostError:
        raise  # its outcome stays open: an undo looks whether it took effect
    except KeytrustError as error:
        journal.conclude(run, seq, _after_error(change, world), error.message)
        raise
    seen = change.standing(world)
    outcome = Outcome.DONE if seen.state is State.DONE else Outcome.UNSEEN
    journal.conclude(run, seq, outcome, note)
    if outcome is Outcome.UNSEEN:
        raise SetupError(
            f"This was done but is not seen in effect: {change.summary}.",
            not_done="Nothing after it was done.",
            remedy="Look at the object with another tool before you go on.",
        )
    return Result(change, Became.DONE)


def _after_error(change: Change, world: World) -> Outcome:
    """A refusal changed nothing, as a rule; a complaint after the fact did."""
    try:
        return Outcome.DONE if change.standing(world).state is State.DONE else Outcome.FAILED
    except KeytrustError:
        return Outcome.UNSEEN


def local_operator() -> str:
    """Who runs this on this machine; under sudo, who called it."""
    try:
        return os.environ.get("SUDO_USER") or getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
