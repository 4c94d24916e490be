"""The rules of planning: each test fails when its rule is broken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.world import Ours, account, cloud_user, dn, guid, key, material, plan, sid, value

from keytrust.cloud.source import CloudUser, RegisteredKey, Unknown
from keytrust.credential import Dialect, KeyCredentialLink, KeySource, KeyUsage, rsa1_from_key
from keytrust.errors import CloudError
from keytrust.sync.model import Action, ConflictCode, RefusalCode
from keytrust.sync.policy import Allow, Policy


def test_a_registered_key_that_is_missing_is_added_as_entra_connect_would_write_it() -> None:
    made = plan([cloud_user("alice", (key(1),))], [account("alice")])
    (change,) = made.changes
    assert (change.action, change.account.name, change.value) == (Action.ADD, "alice", value("alice", 1))
    assert not made.conflicts
    assert not made.refusals


def test_the_portable_dialect_is_used_when_the_domain_needs_it() -> None:
    (change,) = plan([cloud_user("alice", (key(1),))], [account("alice")], dialect=Dialect.PORTABLE).changes
    assert change.value == value("alice", 1, Dialect.PORTABLE)


def test_a_key_that_is_there_with_other_times_and_information_is_left_alone() -> None:
    stored = value("alice", 1, Dialect.PORTABLE, source=KeySource.AD)
    made = plan([cloud_user("alice", (key(1),))], [account("alice", stored)])
    assert made.changes == ()
    assert made.census.present == 1


def test_the_right_material_under_a_false_key_id_does_not_keep_the_key_from_being_written() -> None:
    good = KeyCredentialLink.parse(value("alice", 1))
    blob = bytearray(good.binary)
    blob[10] ^= 1  # inside the KeyID entry
    planted = f"B:{len(blob) * 2}:{blob.hex().upper()}:{dn('alice')}".encode()
    made = plan([cloud_user("alice", (key(1),))], [account("alice", planted)])
    assert [change.action for change in made.changes] == [Action.ADD]


class TestRemoval:
    """Rules 2, 3 and 4."""

    def test_a_revoked_key_that_we_wrote_is_removed_by_its_exact_stored_string(self) -> None:
        stored = value("alice", 1)
        (change,) = plan([cloud_user("alice")], [account("alice", stored)], ours=Ours(("alice", stored))).changes
        assert (change.action, change.value) == (Action.REMOVE, stored)

    def test_the_same_value_on_another_account_is_not_ours(self) -> None:
        stored = value("alice", 1)
        assert not plan([cloud_user("alice")], [account("alice", stored)], ours=Ours(("bob", stored))).changes

    @pytest.mark.parametrize(
        "user",
        [
            cloud_user("alice", Unknown("no deviceKeys property")),
            cloud_user("alice", Unknown("entry 2 is not base64", (key(2),))),
        ],
        ids=["absent", "damaged"],
    )
    def test_nothing_is_removed_when_the_key_list_is_not_known(self, user: CloudUser) -> None:
        stored = value("alice", 1)
        made = plan([user], [account("alice", stored)], ours=Ours(("alice", stored)))
        assert Action.REMOVE not in [change.action for change in made.changes]
        assert made.census.unknown == 1

    def test_legible_keys_of_a_damaged_list_are_still_added(self) -> None:
        made = plan([cloud_user("alice", Unknown("entry 2 is not base64", (key(2),)))], [account("alice")])
        assert [change.key_id for change in made.changes] == [key(2).key_id]

    def test_nothing_is_removed_when_the_cloud_lists_nobody(self) -> None:
        stored = value("alice", 1)
        assert not plan([], [account("alice", stored)], ours=Ours(("alice", stored))).changes

    def test_an_error_of_the_source_makes_no_plan(self) -> None:
        def broken():  # type: ignore[no-untyped-def]
            yield cloud_user("alice")
            raise CloudError("the connection was cut")

        stored = value("alice", 1)
        with pytest.raises(CloudError):
            plan(broken(), [account("alice", stored)], ours=Ours(("alice", stored)))  # type: ignore[no-untyped-call]

    def test_cloud_origin_values_are_removed_only_after_adoption(self) -> None:
        accounts = [account("alice", value("alice", 1))]
        assert not plan([cloud_user("alice")], accounts).changes
        assert plan([cloud_user("alice")], accounts, policy=Policy(adopt=True)).removals == 1

    @pytest.mark.parametrize(
        "fields",
        [
            {"usage": KeyUsage.FIDO},
            {"usage": KeyUsage.FEK},
            {"usage": KeyUsage.STK},
            {"source": KeySource.AD},
        ],
        ids=str,
    )
    def test_even_adoption_keeps_what_is_not_a_cloud_origin_ngc_value(self, fields: dict[str, int]) -> None:
        accounts = [account("alice", value("alice", 1, **fields))]
        made = plan([cloud_user("alice")], accounts, policy=Policy(adopt=True))
        assert made.changes == ()
        assert made.census.foreign == 1

    def test_unreadable_values_are_kept_and_counted(self) -> None:
        values = (b"garbage", b"B:8:00020000:" + dn("alice").encode()[:5], b"\xff\xfe")
        made = plan([cloud_user("alice")], [account("alice", *values)], policy=Policy(adopt=True))
        assert made.changes == ()
        assert made.census.unreadable >= 2

    def test_a_key_registered_under_another_type_is_not_removed(self) -> None:
        stored = value("alice", 1)
        users = [cloud_user("alice", (key(1, key_type="FIDO"),))]
        assert not plan(users, [account("alice", stored)], ours=Ours(("alice", stored))).changes

    def test_removals_beyond_the_limit_hold_back_every_removal_and_say_so(self) -> None:
        names = [f"user{n}" for n in range(30)]
        stored = {name: value(name, n) for n, name in enumerate(names)}
        users = [cloud_user(name, () if n < 2 else (key(n),)) for n, name in enumerate(names)]
        accounts = [account(name, stored[name]) for name in names]
        ours = Ours(*stored.items())
        made = plan(users, accounts, ours=ours)
        assert made.changes == ()
        assert len(made.held) == 2
        assert "limit of 1" in made.held_because
        assert plan(users, accounts, ours=ours, allow_removals=2).removals == 2

    def test_additions_go_on_while_removals_are_held(self) -> None:
        stored = [("a", value("a", 1)), ("b", value("b", 2))]
        users = [cloud_user("a"), cloud_user("b"), cloud_user("c", (key(3),))]
        accounts = [*(account(name, raw) for name, raw in stored), account("c")]
        made = plan(users, accounts, ours=Ours(*stored))
        assert [change.account.name for change in made.changes] == ["c"]
        assert len(made.held) == 2

    def test_one_removal_is_always_allowed(self) -> None:
        stored = value("alice", 1)
        users = [cloud_user("alice"), cloud_user("bob", (key(2),))]
        accounts = [account("alice", stored), account("bob", value("bob", 2))]
        assert plan(users, accounts, ours=Ours(("alice", stored))).removals == 1

    def test_a_cloud_without_a_single_key_is_taken_for_a_fault(self) -> None:
        stored = [(f"u{n}", value(f"u{n}", n)) for n in range(3)]
        users = [cloud_user(name) for name, _ in stored]
        accounts = [account(name, raw) for name, raw in stored]
        policy = Policy(removal_share=1)
        made = plan(users, accounts, ours=Ours(*stored), policy=policy)
        assert made.changes == ()
        assert "not one key" in made.held_because
        assert plan(users, accounts, ours=Ours(*stored), policy=policy, allow_removals=3).removals == 3


class TestMatch:
    """Rule 8."""

    def test_the_consistency_guid_is_the_anchor_when_it_is_set(self) -> None:
        accounts = [account("alice", consistency_guid=b"c" * 16)]
        assert not plan([cloud_user("alice", (key(1),))], accounts).additions
        assert plan([cloud_user("alice", (key(1),), source_anchor=b"c" * 16)], accounts).additions == 1

    @pytest.mark.parametrize(
        ("user", "code"),
        [
            (cloud_user("alice", (key(1),), sid=sid("bob")), ConflictCode.SID_DIFFERS),
            (cloud_user("alice", (key(1),), sid=None), ConflictCode.SID_MISSING),
            (cloud_user("alice", (key(1),), source_anchor=b"x" * 16), ConflictCode.ANCHOR_DIFFERS),
            (cloud_user("alice", (key(1),), source_anchor=None), ConflictCode.ANCHOR_DIFFERS),
        ],
        ids=["sid-of-another", "no-sid", "anchor-of-another", "no-anchor"],
    )
    def test_a_disagreement_is_reported_and_nothing_is_written(self, user: CloudUser, code: ConflictCode) -> None:
        made = plan([user], [account("alice")])
        assert made.changes == ()
        assert [conflict.code for conflict in made.conflicts] == [code]

    def test_two_cloud_users_with_one_anchor_get_nothing(self) -> None:
        users = [cloud_user("alice", (key(1),)), cloud_user("mallory", (key(2),), source_anchor=guid("alice"))]
        made = plan(users, [account("alice"), account("mallory")])
        assert made.changes == ()
        assert ConflictCode.ANCHOR_SHARED_IN_CLOUD in [conflict.code for conflict in made.conflicts]

    def test_two_cloud_users_with_one_sid_get_nothing(self) -> None:
        users = [cloud_user("alice", (key(1),)), cloud_user("mallory", (key(2),), sid=sid("alice"))]
        assert plan(users, [account("alice")]).changes == ()

    def test_two_accounts_with_one_anchor_get_nothing_even_when_read_in_either_order(self) -> None:
        twin = account("twin", consistency_guid=guid("alice"), sid=sid("alice"))
        for accounts in ([account("alice"), twin], [twin, account("alice")]):
            made = plan([cloud_user("alice", (key(1),))], accounts)
            assert made.changes == ()
            assert [c.code for c in made.conflicts] == [ConflictCode.ANCHOR_SHARED_IN_DIRECTORY] * 2

    def test_a_computer_is_nobodys_account(self) -> None:
        assert not plan([cloud_user("pc", (key(1),))], [account("pc", computer=True)]).changes

    def test_without_sid_the_anchor_alone_is_enough_when_the_policy_says_so(self) -> None:
        policy = Policy(allow=frozenset({Allow.UNCORROBORATED}))
        assert plan([cloud_user("alice", (key(1),), sid=None)], [account("alice")], policy=policy).additions == 1


class TestRefusal:
    """Rule 9."""

    @staticmethod
    def weak(bits: int, exponent: int = 65537) -> RegisteredKey:
        return RegisteredKey(rsa1_from_key(rsa.generate_private_key(exponent, bits).public_key()))

    @pytest.mark.parametrize(("bits", "exponent"), [(1024, 65537), (2048, 3)])
    def test_weak_keys_are_refused_unless_allowed(self, bits: int, exponent: int) -> None:
        users = [cloud_user("alice", (self.weak(bits, exponent),))]
        made = plan(users, [account("alice")])
        assert made.changes == ()
        assert [refusal.code for refusal in made.refusals] == [RefusalCode.WEAK_RSA]
        allowed = Policy(allow=frozenset({Allow.WEAK_RSA}))
        assert plan(users, [account("alice")], policy=allowed).additions == 1

    def test_material_that_is_no_key_is_refused_whatever_is_allowed(self) -> None:
        users = [cloud_user("alice", (RegisteredKey(b"RSA1 nonsense"),))]
        made = plan(users, [account("alice")], policy=Policy(allow=frozenset(Allow)))
        assert [refusal.code for refusal in made.refusals] == [RefusalCode.UNREADABLE]

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_key_that_is_on_another_account_is_refused(self, order: int) -> None:
        accounts = [account("alice"), account("bob", value("bob", 1))][::order]
        made = plan([cloud_user("alice", (key(1),))], accounts)
        assert made.changes == ()
        assert [refusal.code for refusal in made.refusals] == [RefusalCode.SHARED_KEY]

    def test_a_key_that_two_cloud_users_registered_is_refused_to_both(self) -> None:
        users = [cloud_user("alice", (key(1),)), cloud_user("bob", (key(1),))]
        made = plan(users, [account("alice"), account("bob")])
        assert made.changes == ()
        assert len(made.refusals) == 2

    def test_privileged_accounts_are_refused_unless_listed(self) -> None:
        users, accounts = [cloud_user("root", (key(1),))], [account("root", protected=True)]
        made = plan(users, accounts)
        assert [refusal.code for refusal in made.refusals] == [RefusalCode.PRIVILEGED]
        for name in ("ROOT", "root@corp.example", dn("root"), sid("root")):
            assert plan(users, accounts, policy=Policy(privileged_accounts=frozenset({name}))).additions == 1

    def test_an_account_whose_kind_may_not_be_read_gets_no_key_whatever_is_allowed(self) -> None:
        users = [cloud_user("alice", (key(1),))]
        hidden = replace(account("alice"), enabled=None)
        listed = Policy(allow=frozenset(Allow), privileged_accounts=frozenset({"alice"}))
        for policy in (Policy(), listed):
            made = plan(users, [hidden], policy=policy)
            assert made.changes == ()
            assert [refusal.code for refusal in made.refusals] == [RefusalCode.UNKNOWN_STATE]
            assert "userAccountControl" in made.refusals[0].sentence

    def test_keys_of_other_types_are_never_written(self) -> None:
        made = plan([cloud_user("alice", (key(1, key_type="FIDO"),))], [account("alice")])
        assert made.changes == ()
        assert made.refusals == ()


def test_planning_twice_plans_nothing_new() -> None:
    users = [cloud_user(name, (key(n), key(n + 10))) for n, name in enumerate("abc")]
    accounts = [account(name) for name in "abc"]
    first = plan(users, accounts)
    after = [
        replace(each, values=tuple(c.value for c in first.changes if c.account.guid == each.guid)) for each in accounts
    ]
    assert first.additions == 6
    assert plan(users, after).changes == ()


def test_the_same_key_listed_twice_is_written_once() -> None:
    assert plan([cloud_user("alice", (key(1), key(1)))], [account("alice")]).additions == 1
    assert material(1) != material(2)
