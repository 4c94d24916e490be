"""A running service follows who joins and leaves the group that it is limited to."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from tests.support.ldb import moved
from tests.support.running import RunningService

from keytrust.lab import Lab, LabUser, ldif

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]


@pytest.fixture
def group(lab: Lab) -> Iterator[str]:
    dn = f"CN=g-{secrets.token_hex(5)},{lab.spec.people_dn}"
    lab.apply_ldif(f"dn: {dn}\nchangetype: add\nobjectClass: group\nsAMAccountName: {dn[3:15]}\n\n")
    yield dn
    lab.apply_ldif(f"dn: {dn}\nchangetype: delete\n\n")


def member(service: RunningService, group: str, user: LabUser, kind: str) -> None:
    dn = service.account(user).dn
    service.lab.apply_ldif(f"dn: {group}\nchangetype: modify\n{kind}: member\nmember: {dn}\n-\n\n")


@contextmanager
def limited(lab: Lab, folder: Path, **scope: object) -> Iterator[RunningService]:
    """A running service with this scope."""
    with RunningService.beside_a_registry(lab, folder) as service:
        service.extra["directory"] = {"scope": scope}
        service.start()
        yield service


def registered(service: RunningService, user: LabUser) -> RSAPrivateKey:
    """A key of the user, which the service has taken in."""
    key = service.register(user)
    service.eventually(lambda: service.run("status", "--json").returncode == 0, "the registration")
    return key


def test_who_joins_the_group_gets_the_key_and_who_leaves_loses_it_when_told_so(
    lab: Lab, tmp_path: Path, make_user: MakeUser, group: str
) -> None:
    with limited(lab, tmp_path, groups=[group], remove_on_leave=True) as service:
        joins, stays_out = service.enrol(make_user()), service.enrol(make_user())
        service.register(stays_out)
        key = registered(service, joins)
        assert service.account(joins).values == ()
        member(service, group, joins, "add")
        service.await_sign_in(joins, key)
        assert service.account(stays_out).values == ()

        member(service, group, joins, "delete")
        service.await_values(joins, 0)

        # While nobody looks it joins and leaves: the leaver's key goes when the service is back.
        member(service, group, joins, "add")
        service.await_values(joins, 1)
        assert service.stop() == 0
        member(service, group, joins, "delete")
        service.start()
        service.await_values(joins, 0)


def test_who_is_moved_into_the_unit_gets_the_key_at_once_and_who_is_moved_out_no_more(
    lab: Lab, tmp_path: Path, elsewhere: str, make_user: MakeUser
) -> None:
    with limited(lab, tmp_path, ous=[elsewhere]) as service:
        user = service.enrol(make_user())
        key = registered(service, user)
        with moved(lab, service.account(user).dn, f"CN={user.sam},{elsewhere}"):
            service.await_sign_in(user, key)
        service.register(user)
        within = service.enrol(make_user(ou=elsewhere.partition(",")[0]))
        service.register(within)
        service.await_values(within, 1)
        assert len(service.account(user).values) == 1


def test_who_is_in_a_unit_that_is_moved_into_the_scope_gets_the_key_at_once(
    lab: Lab, tmp_path: Path, elsewhere: str, team: str, make_user: MakeUser
) -> None:
    with limited(lab, tmp_path, ous=[elsewhere]) as service:
        user = service.enrol(make_user(ou=team.partition(",")[0]))
        key = registered(service, user)
        with moved(lab, team, f"{team.partition(',')[0]},{elsewhere}"):
            service.await_sign_in(user, key)


def test_who_comes_to_be_selected_by_the_filter_gets_the_key_at_once(
    lab: Lab, tmp_path: Path, make_user: MakeUser
) -> None:
    with limited(lab, tmp_path, filter="(&(department=Sales)(!(employeeType=guest)))") as service:
        user = service.enrol(make_user())
        key = registered(service, user)
        lab.apply_ldif(ldif.replace(service.account(user).dn, {"department": "sales", "employeeType": "guest"}))
        other = service.enrol(make_user())
        lab.apply_ldif(ldif.replace(service.account(other).dn, {"department": "Sales"}))
        service.register(other)
        service.await_values(other, 1)
        assert service.account(user).values == ()
        lab.apply_ldif(ldif.replace(service.account(user).dn, {"employeeType": []}))
        service.await_sign_in(user, key)
