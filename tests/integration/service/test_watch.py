"""Both ways to follow changes in the directory, on a real domain controller, as the connector account."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.running import RunningService

from keytrust.config import load
from keytrust.directory.domain import Domain
from keytrust.directory.session import Session
from keytrust.lab import Lab, LabUser
from keytrust.service import watch
from keytrust.service.watch import changed_since

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]


def dirsync(domain: Domain, session: Session) -> bytes:
    return changed_since(domain, session, None).cursor


def usn(_domain: Domain, session: Session) -> bytes:
    return watch._encoded(watch.Position.of(session))


@pytest.mark.parametrize("begin", [dirsync, usn])
def test_whoever_gains_or_loses_a_value_is_told_once(
    begin: Callable[[Domain, Session], bytes], lab: Lab, make_user: MakeUser, tmp_path: Path
) -> None:
    user, bystander = make_user(), make_user()
    with (
        RunningService.beside_a_registry(lab, tmp_path) as people,
        Domain(load(lab.spec.config).need_directory()) as domain,
        domain.session() as session,
    ):
        guid, other = domain.find(user.sam).guid, domain.find(bystander.sam).guid
        cursor = begin(domain, session)
        for change in (people.plant, people.delete_values):
            change(user)
            watched = changed_since(domain, session, cursor)
            assert guid in watched.guids
            assert other not in watched.guids
            assert not watched.lost
            cursor = watched.cursor
        assert guid not in changed_since(domain, session, cursor).guids


def test_numbers_of_another_domain_controller_mean_that_changes_may_have_been_missed(lab: Lab) -> None:
    with Domain(load(lab.spec.config).need_directory()) as domain, domain.session() as session:
        foreign = b'U{"server": "CN=NTDS Settings,CN=DC9", "usn": 1}'
        assert changed_since(domain, session, foreign).lost
        garbage = changed_since(domain, session, b"D" + b"not a cookie")
        assert garbage.lost
        assert not changed_since(domain, session, garbage.cursor).lost
