"""``keytrust run`` when the domain controller stands still, when it is paused, and beside another command."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.support.ldb import attributes
from tests.support.running import RunningService
from tests.support.security_descriptors import ace, descriptor

from keytrust.database import writing
from keytrust.lab import Lab, LabUser
from keytrust.store.database import open_store
from keytrust.store.mirror_tables import pending

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]

READ_ONLY = descriptor(ace("S-1-1-0", 0x20094), owner="S-1-5-32-544", protected=True)
"""Everybody may read everything, nobody write; nothing is inherited."""


def test_sync_beside_it_is_refused_in_one_sentence_until_the_domain_is_paused(
    service: RunningService, make_user: MakeUser
) -> None:
    user = service.enrol(make_user())
    refused = service.run("sync")
    assert refused.returncode == 1
    assert "keytrust run on" in refused.stderr
    assert "keytrust pause" in refused.stderr

    assert service.run("pause").returncode == 0
    service.await_event("lease-released")
    service.register(user)
    by_hand = service.run("sync")
    assert by_hand.returncode == 0, by_hand.stderr
    service.await_values(user, 1)

    assert service.run("resume").returncode == 0
    service.revoke(user)
    service.register(service.enrol(make_user()))
    service.await_values(user, 0)
    assert user.sam not in {each.get("account") for each in service.events("unexpected-value")}


def test_an_account_that_was_set_aside_is_tried_again_when_the_operator_says_so(
    service: RunningService, make_user: MakeUser
) -> None:
    user = service.enrol(make_user())
    dn = service.account(user).dn
    with attributes(service.lab, dn, nTSecurityDescriptor=READ_ONLY):
        key = service.register(user)
        service.await_event("set-aside", account=user.sam)
        rest_for_an_hour(service.store)
        service.eventually(lambda: "keytrust retry" in service.run("explain", user.sam).stdout, "what to do")
    done = service.run("retry")
    assert done.returncode == 0, done.stderr
    service.await_sign_in(user, key)
    assert "nothing was set aside" in service.run("retry").stdout


def test_a_key_that_keeps_vanishing_rests_until_the_operator_says_that_it_will_last_now(
    service: RunningService, make_user: MakeUser
) -> None:
    user = service.enrol(make_user())
    key = service.register(user)
    service.await_event("written", account=user.sam)
    for _ in range(2):
        with service.told_anew("written", account=user.sam):
            service.delete_values(user)
    service.delete_values(user)
    service.await_event("vanishing-value", account=user.sam)
    assert "keytrust retry" in service.run("explain", user.sam).stdout
    assert not service.account(user).values
    told = service.run("retry").stdout
    assert "1 of them with keys that did not last" in told
    service.await_sign_in(user, key)


def rest_for_an_hour(store: str) -> None:
    """As after a dozen failures."""
    engine = open_store(store)
    with writing(engine) as connection:
        connection.execute(update(pending).values(attempts=11, not_before=time.time() + 3600))
    engine.dispose()


def test_a_domain_controller_that_stands_still_costs_a_delay_and_no_key(breakable_lab: Lab, tmp_path: Path) -> None:
    user = LabUser("standstill")
    breakable_lab.add_users([user])
    with RunningService.beside_a_registry(breakable_lab, tmp_path) as service:
        service.extra = {"directory": {"timeout": 3}}
        service.enrol(user)
        service.start()
        breakable_lab.pause_dc()
        try:
            key = service.register(user)
            service.await_event("feed-failed", feed="worker")
        finally:
            breakable_lab.resume_dc()
        service.await_sign_in(user, key)
        service.await_event("feed-recovered", feed="worker")
        assert service.events("set-aside") == []
        assert service.stop() == 0
