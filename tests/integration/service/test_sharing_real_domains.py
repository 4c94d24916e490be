"""Two instances on one PostgreSQL store and two real domains in two forests: each comes to write to one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.running import RunningService

from keytrust.lab import Lab, LabUser
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal

pytestmark = pytest.mark.lab


@dataclass
class Sharing:
    """Two instances of one configuration; alice is in the first domain, bob in the second."""

    first: RunningService
    second: RunningService
    elsewhere: RunningService
    """The second domain as ``RunningService`` shows domains; it runs nothing."""
    alice: LabUser
    bob: LabUser
    registered: int = 0

    def register_for_both(self) -> None:
        """A key for alice and one for bob, until both have one more."""
        self.first.register(self.alice)
        self.elsewhere.register(self.bob)
        self.registered += 1
        self.first.await_values(self.alice, self.registered)
        self.elsewhere.await_values(self.bob, self.registered)

    def held_by(self, instance: RunningService) -> set[str]:
        """The domains to which an instance writes, by what it has said."""
        held: set[str] = set()
        kinds = {"lease-gained": True, "lease-released": False, "lease-lost": False}
        for event in sorted((each for kind in kinds for each in instance.events(kind)), key=lambda e: e["timestamp"]):
            (held.add if kinds[event["event"]] else held.discard)(event["domain"])
        return held

    @property
    def domains(self) -> set[str]:
        return {self.first.lab.spec.domain, self.elsewhere.lab.spec.domain}


@pytest.fixture
def sharing(pair_lab: Lab, tmp_path: Path, postgres_url: str) -> Iterator[Sharing]:
    alice, bob = (LabUser(f"{name}-{uuid4().hex[:8]}") for name in ("alice", "bob"))
    pair_lab.add_users([alice])
    pair_lab.second.add_users([bob])
    try:
        with RunningService.beside_a_registry(pair_lab, tmp_path, postgres_url) as first:
            second = first.twin(tmp_path / "second")
            elsewhere = replace(first, lab=pair_lab.second)
            first.enrol(alice)
            elsewhere.enrol(bob)
            try:
                yield Sharing(first, second, elsewhere, alice, bob)
            finally:
                second.kill()
    finally:
        pair_lab.delete_users([alice])
        pair_lab.second.delete_users([bob])


def test_they_spread_over_the_instances_and_come_together_when_one_dies(sharing: Sharing) -> None:
    first, second = sharing.first, sharing.second
    first.start()
    first.eventually(lambda: sharing.held_by(first) == sharing.domains, "the only one writes to both")
    sharing.register_for_both()

    second.start(wait=False)
    second.eventually(lambda: len(sharing.held_by(second)) == 1, "the other is given one")
    given = sharing.held_by(second)
    first.eventually(lambda: sharing.held_by(first) == sharing.domains - given, "the first has the rest")
    sharing.register_for_both()

    second.await_event("written")  # it tells of what it wrote after it did
    assert {event["domain"] for event in second.events("written")} == given
    second.kill()
    first.eventually(lambda: sharing.held_by(first) == sharing.domains, "it takes back what the dead one had")
    sharing.register_for_both()

    store = open_store(first.store)
    written = [(entry.change.account.guid, entry.change.key_id) for entry in Journal(store).entries()]
    store.dispose()
    assert len(written) == len(set(written)) == 2 * sharing.registered
