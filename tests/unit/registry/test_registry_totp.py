"""Second factors: which codes are good, how often, and what failures cost."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import select

from keytrust.errors import RegistryError
from keytrust.registry import Database, ImportedUser, import_users, totp
from keytrust.registry.audit import Origin
from keytrust.registry.sealing import Sealer
from keytrust.registry.tables import totp as table
from keytrust.registry.users import find_user

NOW = 1_800_000_000
ORIGIN = Origin("test", 1)


class Factor:
    """One enrolled user and their app."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        import_users(database, [ImportedUser(b"\1" * 16, "alice@example.org")])
        with database.read() as connection:
            row = find_user(connection, upn="alice@example.org")
        assert row is not None
        self.database, self.sealer, self.user_id = database, sealer, str(row.id)
        self.uri = self.enrol()
        self.secret = base64.b32decode(parse_qs(urlsplit(self.uri).query)["secret"][0])

    def enrol(self, **changes: Any) -> str:
        given = {"account": "alice@example.org", "issuer": "Example", "origin": ORIGIN, "replace": False, **changes}
        return totp.enrol(self.database, self.sealer, self.user_id, **given) or ""

    def code(self, at: int = NOW) -> str:
        return TOTP(self.secret, 6, SHA1(), 30).generate(at).decode()  # noqa: S303

    def use(self, code: str, at: int = NOW) -> totp.Verdict:
        return totp.use_code(self.database, self.sealer, self.user_id, code, at * 1_000_000)


@pytest.fixture
def factor(tmp_path: Path) -> Iterator[Factor]:
    database = Database.open(f"sqlite:///{tmp_path}/registry.db")
    yield Factor(database, Sealer(tmp_path / "keys"))
    database.close()


def test_the_uri_is_what_apps_read(factor: Factor) -> None:
    parts = urlsplit(factor.uri)
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", "/Example:alice@example.org")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert {name: query[name] for name in ("digits", "period", "issuer", "algorithm")} == {
        "digits": "6", "period": "30", "issuer": "Example", "algorithm": "SHA1",
    }  # fmt: skip
    assert len(factor.secret) == 20


def test_the_codes_are_those_of_the_specification() -> None:
    # RFC 6238, appendix B, the last six digits.
    secret = b"12345678901234567890"
    for moment, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert totp._match(secret, code, moment) == moment // 30


def test_a_code_is_good_once_and_older_ones_are_not_afterwards(factor: Factor) -> None:
    assert factor.use(factor.code()).right
    assert not factor.use(factor.code()).right
    assert not factor.use(factor.code(NOW - 30)).right
    assert factor.use(factor.code(NOW + 30), NOW + 30).right


def test_a_clock_may_be_one_step_off_and_not_two(factor: Factor) -> None:
    assert not factor.use(factor.code(NOW - 60)).right
    assert not factor.use(factor.code(NOW + 60)).right
    assert factor.use(factor.code(NOW - 30)).right
    assert factor.use(factor.code(NOW + 30)).right


@pytest.mark.parametrize("code", ["", "0", "1234567", "äöü", "\0" * 6, "-00001"])
def test_what_is_no_code_is_wrong(factor: Factor, code: str) -> None:
    assert factor.use(code) == totp.Verdict(False)


def test_failures_lock_longer_and_longer_and_a_whole_sign_in_forgives_them(factor: Factor) -> None:
    for _ in range(totp.FREE_FAILURES):
        assert factor.use("000000").seconds == 0
    assert factor.use("000000").seconds == 0  # the fifth locks
    locked = factor.use(factor.code())
    assert (locked.right, locked.seconds) == (False, 30)
    assert factor.use("000000", NOW + 31).seconds == 0
    assert factor.use(factor.code(NOW + 32), NOW + 32).seconds == 59
    assert factor.use(factor.code(NOW + 120), NOW + 120).right
    totp.forgive(factor.database, factor.user_id)
    assert factor.use("000000", NOW + 150) == totp.Verdict(False)
    assert factor.use(factor.code(NOW + 180), NOW + 180).right


def test_the_lock_grows_to_an_hour() -> None:
    assert [totp.lock_seconds(failures) for failures in (0, 4, 5, 6, 7, 12, 100, 10**9)] == [
        0, 0, 30, 60, 120, 3600, 3600, 3600,
    ]  # fmt: skip


def test_a_lock_is_ended_by_an_administrator_and_survives_a_restart(factor: Factor) -> None:
    for _ in range(5):
        factor.use("000000")
    again = Database.open(str(factor.database.engine.url))
    assert totp.use_code(again, factor.sealer, factor.user_id, factor.code(), NOW * 1_000_000).seconds == 30
    again.close()
    assert totp.unlock(factor.database, factor.user_id, origin=ORIGIN)
    assert factor.use(factor.code()).right


def test_a_second_enrolment_is_refused_unless_it_replaces(factor: Factor) -> None:
    old = factor.code()
    assert factor.enrol() == ""
    new = factor.enrol(replace=True)
    assert new and factor.uri not in new
    assert not factor.use(old).right
    assert totp.remove(factor.database, factor.user_id, origin=ORIGIN)
    assert not totp.remove(factor.database, factor.user_id, origin=ORIGIN)


def test_the_database_alone_does_not_give_the_secret_away(factor: Factor, tmp_path: Path) -> None:
    with factor.database.read() as connection:
        stored = connection.execute(select(table.c.secret)).scalar_one()
    assert factor.secret not in stored
    assert factor.sealer.open(stored, factor.user_id) == factor.secret
    assert (tmp_path / "keys" / "sealing.key").stat().st_mode & 0o777 == 0o600
    for sealer, owner in ((factor.sealer, "another"), (Sealer(tmp_path / "other"), factor.user_id)):
        with pytest.raises(RegistryError, match="cannot be opened"):
            sealer.open(stored, owner)


def test_a_damaged_key_is_an_error_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "sealing.key").write_bytes(b"short")
    with pytest.raises(RegistryError, match="cannot be used"):
        Sealer(tmp_path)
    assert (tmp_path / "sealing.key").read_bytes() == b"short"
