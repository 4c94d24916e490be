"""Sign-in against a real domain controller: the right key gets a ticket, everything else its proper refusal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from keytrust.credential import Dialect, build, rsa1_from_key
from keytrust.lab import Lab, LabUser, certificates, ldif
from keytrust.signin import Refusal, SigninResult, sign_in

pytestmark = pytest.mark.lab

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_LARGE = rsa.generate_private_key(public_exponent=65537, key_size=4096)


def _trust(lab: Lab, user: LabUser, *keys: rsa.RSAPrivateKey, dialect: Dialect = Dialect.PORTABLE) -> None:
    dn = user.dn(lab.spec.base_dn)
    values = []
    for key in keys:
        material = rsa1_from_key(key.public_key())
        blob = build(material, device_id=uuid4(), created=datetime.now(UTC), dialect=dialect).to_bytes()
        values.append(f"B:{len(blob) * 2}:{blob.hex().upper()}:{dn}")
    lab.apply_ldif(ldif.replace(dn, {"msDS-KeyCredentialLink": values}))


def _sign_in(lab: Lab, name: str, key: rsa.RSAPrivateKey, **changed: Path | float) -> SigninResult:
    where: dict[str, Path | float] = {"kdc_ca": lab.spec.ca_cert, "krb5_config": lab.spec.krb5_config, **changed}
    return sign_in(name, key, **where)  # type: ignore[arg-type]


def test_the_registered_key_gets_a_ticket(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    user = make_user()
    _trust(lab, user, _KEY)
    result = _sign_in(lab, f"{user.sam}@{lab.spec.realm}", _KEY)
    assert result.ok, result.detail
    assert result.refusal is None
    assert result.principal == f"{user.sam}@{lab.spec.realm}"
    assert result.valid_until is not None
    assert result.valid_until > datetime.now(UTC) + timedelta(hours=1)
    assert result.milliseconds > 0


def test_each_of_several_keys_gets_one(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    user = make_user()
    _trust(lab, user, _OTHER, _LARGE, _KEY)
    for key in (_KEY, _OTHER, _LARGE):
        assert _sign_in(lab, f"{user.sam}@{lab.spec.realm}", key).ok


def test_a_user_principal_name_of_any_suffix_is_looked_up(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    user = make_user()
    upn = f"first.last-{user.sam}@mail.example"
    named = make_user(upn=upn, inet_org_person=True)
    _trust(lab, named, _KEY)
    result = _sign_in(lab, upn, _KEY)
    assert result.ok, result.detail
    assert result.principal == f"{named.sam}@{lab.spec.realm}"


def test_names_with_spaces_and_letters_beyond_ascii(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    user = make_user(sam=f"Zoë {uuid4().hex[:8]}")
    _trust(lab, user, _KEY)
    assert _sign_in(lab, f"{user.sam}@{lab.spec.domain}", _KEY).ok


def test_another_key_is_not_trusted(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    user = make_user()
    _trust(lab, user, _KEY)
    result = _sign_in(lab, f"{user.sam}@{lab.spec.realm}", _OTHER)
    assert (result.ok, result.refusal) == (False, Refusal.CLIENT_NOT_TRUSTED)
    assert result.principal is None
    assert "not trusted" in result.detail


def test_someone_elses_key_is_not_trusted(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    owner, other = make_user(), make_user()
    _trust(lab, owner, _KEY)
    _trust(lab, other, _OTHER)
    result = _sign_in(lab, f"{other.sam}@{lab.spec.realm}", _KEY)
    assert result.refusal in (Refusal.CLIENT_NOT_TRUSTED, Refusal.CLIENT_NAME_MISMATCH)


def test_a_user_without_any_key_is_not_trusted(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    user = make_user()
    assert _sign_in(lab, f"{user.sam}@{lab.spec.realm}", _KEY).refusal is Refusal.CLIENT_NOT_TRUSTED


def test_a_key_that_was_removed_is_not_trusted_any_more(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    user = make_user()
    _trust(lab, user, _KEY, _OTHER)
    _trust(lab, user, _OTHER)
    assert _sign_in(lab, f"{user.sam}@{lab.spec.realm}", _KEY).refusal is Refusal.CLIENT_NOT_TRUSTED
    assert _sign_in(lab, f"{user.sam}@{lab.spec.realm}", _OTHER).ok


def test_the_form_that_this_controller_cannot_read_is_not_trusted(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    user = make_user()
    _trust(lab, user, _KEY, dialect=Dialect.ENTRA)
    assert _sign_in(lab, f"{user.sam}@{lab.spec.realm}", _KEY).refusal is Refusal.CLIENT_NOT_TRUSTED


def test_a_disabled_account_is_revoked(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    user = make_user(disabled=True)
    _trust(lab, user, _KEY)
    assert _sign_in(lab, f"{user.sam}@{lab.spec.realm}", _KEY).refusal is Refusal.CLIENT_REVOKED


def test_an_account_that_must_change_its_password_is_told_so(lab: Lab, make_user: Callable[..., LabUser]) -> None:
    user = make_user()
    _trust(lab, user, _KEY)
    lab.apply_ldif(ldif.replace(user.dn(lab.spec.base_dn), {"pwdLastSet": "0"}))
    assert _sign_in(lab, f"{user.sam}@{lab.spec.realm}", _KEY).refusal is Refusal.PASSWORD_EXPIRED


@pytest.mark.parametrize("name", ["nobody-here@{realm}", "nobody-here@{domain}", "nobody-here"])
def test_an_unknown_account_is_unknown(lab: Lab, name: str) -> None:
    result = _sign_in(lab, name.format(realm=lab.spec.realm, domain=lab.spec.domain), _KEY)
    assert result.refusal is Refusal.UNKNOWN_PRINCIPAL


def test_a_controller_of_another_authority_is_not_believed(
    lab: Lab, make_user: Callable[..., LabUser], tmp_path: Path
) -> None:
    user = make_user(password="never asked for")
    _trust(lab, user, _KEY)
    stranger = tmp_path / "ca.pem"
    # The same names, another key: only the signature tells them apart.
    stranger.write_bytes(certificates.make(lab.spec.realm, lab.spec.dc_host)[0].certificate)
    result = _sign_in(lab, f"{user.sam}@{lab.spec.realm}", _KEY, kdc_ca=stranger)
    assert result.refusal is Refusal.KDC_CERTIFICATE_UNTRUSTED
    assert "verify" in result.detail


def test_a_stopped_controller_is_unreachable(breakable_lab: Lab) -> None:
    breakable_lab.stop_dc()
    result = _sign_in(breakable_lab, f"alice@{breakable_lab.spec.realm}", _KEY)
    assert result.refusal is Refusal.KDC_UNREACHABLE


def test_a_frozen_controller_is_unreachable(breakable_lab: Lab) -> None:
    breakable_lab.pause_dc()
    result = _sign_in(breakable_lab, f"alice@{breakable_lab.spec.realm}", _KEY, timeout=1)
    assert result.refusal is Refusal.KDC_UNREACHABLE
