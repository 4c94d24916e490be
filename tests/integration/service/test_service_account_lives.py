"""What becomes of accounts in their lives, beside a running service: they are renamed, moved, disabled, deleted,
restored, and made anew under an old name."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from tests.support.ldb import SAM, moved
from tests.support.running import RunningService

from keytrust.directory.account import guid_text
from keytrust.lab import Lab, LabUser, ldif

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]

NORMAL, DISABLED = "66048", "66050"
"""userAccountControl of a user whose password never expires, enabled and disabled ([MS-ADTS] 2.2.16)."""


def change(lab: Lab, dn: str, **values: str) -> None:
    lab.apply_ldif(ldif.replace(dn, values))


def test_a_user_who_is_renamed_and_moved_keeps_the_keys_and_gets_more_without_an_alarm(
    service: RunningService, make_user: MakeUser, elsewhere: str
) -> None:
    lab = service.lab
    user = service.enrol(make_user())
    first = service.register(user)
    service.await_values(user, 1)
    before = service.account(user)
    new = LabUser(f"n-{uuid4().hex[:8]}")
    dn = f"CN={ldif.escape(f'#1 Née, Änne {new.sam}')},{elsewhere}"
    with moved(lab, before.dn, dn):
        change(lab, dn, sAMAccountName=new.sam, userPrincipalName=f"{new.sam}@{lab.spec.domain}")
        service.enrol(new)  # the registry follows the account, as an import does
        second = service.register(new)
        service.await_values(new, 2)
        assert service.account(new).guid == before.guid
        assert service.sign_in(new, first).ok
        assert service.sign_in(new, second).ok
        service.revoke(new)
        service.await_values(new, 1)
        assert service.events("unexpected-value") == []
        assert service.run("explain", new.sam).returncode in (0, 2)


def test_a_user_who_is_disabled_and_enabled_again_keeps_the_key(service: RunningService, make_user: MakeUser) -> None:
    user = service.enrol(make_user())
    key = service.register(user)
    service.await_sign_in(user, key)
    change(service.lab, service.account(user).dn, userAccountControl=DISABLED)
    service.await_no_sign_in(user, key)
    service.enrol(user)  # the registry follows the account, as an import does
    other = service.enrol(make_user())
    service.register(other)
    service.await_values(other, 1)
    assert len(service.account(user).values) == 1
    change(service.lab, service.account(user).dn, userAccountControl=NORMAL)
    service.await_sign_in(user, key)


def test_another_account_of_the_same_name_gets_nothing_that_was_the_first_ones(
    service: RunningService, make_user: MakeUser
) -> None:
    lab = service.lab
    user = service.enrol(make_user())
    key = service.register(user)
    service.await_values(user, 1)
    lab.delete_users([user])
    lab.add_users([user])  # somebody else: another GUID, another SID
    other = service.enrol(make_user())
    service.register(other)
    service.await_values(other, 1)
    assert service.account(user).values == ()
    assert not service.sign_in(user, key).ok
    assert service.events("set-aside") == []


def test_a_user_who_is_deleted_and_restored_has_the_keys_again(service: RunningService, make_user: MakeUser) -> None:
    lab = service.lab
    user = service.enrol(make_user())
    key = service.register(user)
    service.await_sign_in(user, key)
    account = service.account(user)
    lab.delete_users([user])
    tombstone = f"<GUID={guid_text(account.guid)}>"
    restore = (
        f"dn: {tombstone}\nchangetype: modify\ndelete: isDeleted\n-\nreplace: distinguishedName\n"
        f"distinguishedName: {account.dn}\n-\n"
    )
    lab.run(["ldbmodify", "-H", SAM, "--controls=show_deleted:1", "--controls=reveal_internals:0"], restore)
    upn = service.upn(user)
    change(lab, account.dn, userAccountControl=NORMAL, userPrincipalName=upn)
    service.await_values(user, 1)
    service.await_sign_in(user, key)
