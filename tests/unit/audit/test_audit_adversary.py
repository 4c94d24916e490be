"""What somebody would try who knows how the audit works."""

from __future__ import annotations

from uuid import UUID

import pytest
from audit_world import audit, codes, computer, device, devices, subject, vector
from tests.support.world import NOW, cloud_user, dn, key, material, value

from keytrust.audit.model import Code, Finding, Severity, Subject
from keytrust.cloud.source import RegisteredKey
from keytrust.credential import (
    Dialect,
    KeyCredential,
    KeyCredentialLink,
    KeySource,
    KeyUsage,
    RsaPublicKey,
    attribute_text,
    build,
    parse_material,
)

SEVERE = {Severity.HIGH, Severity.CRITICAL}


def entries(number: int, **fields: object) -> list[tuple[int, bytes]]:
    made = build(material(number), device_id=UUID(int=number), created=NOW, dialect=Dialect.ENTRA, **fields)  # type: ignore[arg-type]
    return list(made.entries)


def raw(name: str, parts: list[tuple[int, bytes]]) -> bytes:
    return attribute_text(KeyCredential.from_entries(parts), dn(name)).encode()


def severe(found: list[Finding]) -> set[Code]:
    return {finding.code for finding in found if finding.severity in SEVERE}


def against_alice(*values: bytes, who: Subject | None = None) -> list[Finding]:
    """Alice has registered key 1 on device 1 and holds it; these values stand beside it."""
    cloud = [cloud_user("alice", (key(1),)), cloud_user("bob", ())]
    return audit((who or subject("alice"), [value("alice", 1), *values]), cloud=cloud)


def test_a_copied_device_id_helps_nobody() -> None:
    planted = build(material(2), device_id=UUID(int=1), created=NOW, dialect=Dialect.ENTRA)
    found = against_alice(attribute_text(planted, dn("alice")).encode())
    assert severe(found) == {Code.NOT_REGISTERED}


def test_a_registered_key_on_another_account_is_found_on_both() -> None:
    cloud = [cloud_user("alice", (key(1),)), cloud_user("bob", ())]
    found = audit((subject("alice"), [value("alice", 1)]), (subject("bob"), [value("bob", 1)]), cloud=cloud)
    assert {(f.account, f.code) for f in found if f.severity in SEVERE} == {
        ("bob", Code.NOT_REGISTERED),
        ("alice", Code.SHARED_KEY),
    }


def test_a_registered_key_under_a_false_key_id() -> None:
    parts = entries(1)
    parts[0] = (1, bytes(32))
    assert Code.KEY_ID_MISMATCH in severe(against_alice(raw("alice", parts)))


@pytest.mark.parametrize("first", ["registered", "planted"])
def test_two_key_materials_of_which_one_is_registered(first: str) -> None:
    parts = entries(1 if first == "registered" else 2)
    parts.insert(3, (3, material(2 if first == "registered" else 1)))
    assert Code.DISGUISED in severe(against_alice(raw("alice", parts)))


@pytest.mark.parametrize("entry", [1, 4, 5, 6])
def test_any_other_decisive_entry_twice(entry: int) -> None:
    parts = entries(2, usage=KeyUsage.FIDO)
    parts.append((entry, {1: bytes(32), 4: b"\1", 5: b"\0", 6: bytes(16)}[entry]))
    assert Code.DISGUISED in severe(against_alice(raw("alice", parts)))


def test_a_sign_in_key_that_calls_itself_a_security_key() -> None:
    assert Code.DISGUISED in severe(against_alice(value("alice", 2, usage=KeyUsage.FIDO)))


@pytest.mark.parametrize("usage", [b"", b"\0", b"\2", b"\3", b"\x63", b"\1\1"])
def test_an_unusual_usage_is_told(usage: bytes) -> None:
    parts = [(number, usage if number == 4 else part) for number, part in entries(2)]
    assert Code.UNEXPECTED_USAGE in codes(against_alice(raw("alice", parts)))


@pytest.mark.parametrize("source", [KeySource.AD, KeySource.AZURE_AD])
def test_no_source_makes_a_planted_key_pass(source: KeySource) -> None:
    assert Code.NOT_REGISTERED in severe(against_alice(value("alice", 2, source=source)))


def encodings(number: int) -> dict[str, bytes]:
    public = parse_material(material(number)).public_key
    assert isinstance(public, RsaPublicKey)
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    made = public.to_cryptography()
    padded = (
        b"RSA1"
        + b"".join(each.to_bytes(4, "little") for each in (2048, 4, 256, 0, 0))
        + public.e.to_bytes(4, "big")
        + public.n.to_bytes(256, "big")
    )
    return {
        "spki": made.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "pkcs1": made.public_bytes(Encoding.DER, PublicFormat.PKCS1),
        "rsa1 with a padded exponent": padded,
    }


@pytest.mark.parametrize("which", ["spki", "pkcs1", "rsa1 with a padded exponent"])
def test_another_encoding_neither_hides_a_planted_key_nor_accuses_a_registered_one(which: str) -> None:
    def stored(number: int) -> bytes:
        made = build(encodings(number)[which], device_id=UUID(int=number), created=NOW, dialect=Dialect.ENTRA)
        return attribute_text(made, dn("alice")).encode()

    assert Code.NOT_REGISTERED in severe(against_alice(stored(2)))
    assert severe(audit((subject("alice"), [stored(1)]), cloud=[cloud_user("alice", (key(1),))])) == set()
    # Registered in that encoding, stored as RSA1.
    cloud = [cloud_user("alice", (RegisteredKey(encodings(1)[which]),))]
    assert severe(audit((subject("alice"), [value("alice", 1)]), cloud=cloud)) == set()


def test_a_borrowed_device_of_ad_fs_registration_shows_beside_the_genuine_key() -> None:
    genuine = value("alice", 1, source=KeySource.AD)
    borrowed = build(material(2), device_id=UUID(int=1), created=NOW, dialect=Dialect.ENTRA, source=KeySource.AD)
    known = devices(device(1, local=True), complete=False)
    cloud = [cloud_user("alice", ())]
    assert audit((subject("alice"), [genuine]), cloud=cloud, known=known) == []
    values = [genuine, attribute_text(borrowed, dn("alice")).encode()]
    found = audit((subject("alice"), values), cloud=cloud, known=known)
    assert [f.code for f in found] == [Code.DEVICE_TWICE] * 2


def test_a_second_key_in_a_computers_own_form() -> None:
    values = [vector("ComputerKey", "PC1"), vector("NonMFAKey", "PC1")]
    assert Code.COMPUTER_SEVERAL_KEYS in codes(audit((computer("PC1"), values)))


@pytest.mark.parametrize(
    "spoil",
    [str.lower, str.upper, lambda text: "".join(map("".join, zip(text[::2].lower(), text[1::2].upper(), strict=True)))],
)
def test_the_case_of_the_digits_changes_nothing(spoil) -> None:  # type: ignore[no-untyped-def]
    head, size, digits, owner = value("alice", 2).decode().split(":", 3)
    found = against_alice(":".join((head, size, spoil(digits), owner)).encode())
    assert severe(found) == {Code.NOT_REGISTERED}


def test_a_dn_with_colons_is_a_dn() -> None:
    odd = "CN=a:b:c,OU=x\\:y,DC=corp,DC=example"
    made = build(material(1), device_id=UUID(int=1), created=NOW, dialect=Dialect.ENTRA)
    who = subject("alice", dn=odd)
    assert audit((who, [attribute_text(made, odd).encode()]), cloud=[cloud_user("alice", (key(1),))]) == []


def test_the_name_of_somebody_else_in_the_value() -> None:
    made = build(material(1), device_id=UUID(int=1), created=NOW, dialect=Dialect.ENTRA)
    found = audit(
        (subject("alice"), [attribute_text(made, dn("bob")).encode()]), cloud=[cloud_user("alice", (key(1),))]
    )
    assert codes(found) == {Code.OWNER_MISMATCH}


def test_a_megabyte_of_anything_is_told_and_kept_short() -> None:
    (finding,) = [
        f for f in against_alice(b"B:2000000:" + b"41" * 1_000_000 + b":CN=a") if f.code is Code.UNREADABLE_VALUE
    ]
    assert len(finding.message) < 500
    assert KeyCredentialLink.parse(value("alice", 1))
