"""What the continuous service has to do with an account: paused, set aside, waiting, or not at work at all."""

from __future__ import annotations

import time

from sqlalchemy import Engine, select

from keytrust.explain.model import Link, State, Symptom
from keytrust.service.overview import DomainOverview, read_overview
from keytrust.service.overview_text import span
from keytrust.store.database import store_faults
from keytrust.store.mirror_tables import findings, mirrors, pending
from keytrust.sync.model import RefusalCode


def service_links(store: Engine, domain_sid: str, guid: bytes) -> tuple[Link, ...]:
    """The link for an account; none where the service has never worked.

    Raises:
        StoreError: the store cannot be read.
    """
    overview = next((each for each in read_overview(store) if each.sid == domain_sid), None)
    if overview is None:
        return ()
    with store_faults(store), store.connect() as connection:
        mirror = select(mirrors.c.id).where(mirrors.c.sid == domain_sid).scalar_subquery()
        entry = (
            connection.execute(select(pending).where(pending.c.mirror == mirror, pending.c.guid == guid))
            .mappings()
            .first()
        )
        vanishing = connection.execute(
            select(findings.c.sentence).where(
                findings.c.mirror == mirror,
                findings.c.guid == guid,
                findings.c.code == RefusalCode.VANISHING.value,
            )
        ).scalar()
    if vanishing:
        remedy = (
            "Update domain controllers that delete keys at sign-in, or find who deletes it (docs/service.md); then:"
            " keytrust retry"
        )
        return (Link("service", State.PROBLEM, vanishing, remedy, Symptom.NO_KEY),)
    if entry is not None and entry["attempts"] and entry["not_before"] > time.time():
        again = span(entry["not_before"] - time.time())
        sentence = f"keytrust run has set the account aside after {entry['attempts']} attempts: {entry['reason']}"
        remedy = f"Remove the cause; it is tried again in {again}, or at once by: keytrust retry"
        return (_problem(f"{sentence.rstrip('.')}.", remedy),)
    return (_general(overview, waiting=entry is not None),)


def _general(overview: DomainOverview, *, waiting: bool) -> Link:
    if overview.paused:
        return _problem(f"keytrust run is paused in {overview.name}.", f"keytrust resume {overview.name}")
    if not overview.alive:
        return Link(
            "service",
            State.CANNOT_TELL,
            f"keytrust run is not at work in {overview.name} (last heard of {span(overview.age)} ago).",
            "Start it, unless keytrust sync is used instead.",
        )
    if overview.staging:
        return _problem("keytrust run is in staging mode and writes nothing.", "Take staging out of [service].")
    if overview.rebuilt is None:
        return Link("service", State.CANNOT_TELL, "keytrust run is still reading both sides for the first time.")
    if waiting:
        return Link("service", State.OK, "keytrust run has the account on its list.")
    return Link("service", State.OK, f"keytrust run is at work ({overview.holder}).")


def _problem(sentence: str, remedy: str) -> Link:
    return Link("service", State.PROBLEM, sentence, remedy, Symptom.NO_KEY)
