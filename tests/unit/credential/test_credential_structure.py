"""Reading keeps everything that has a structure and refuses the rest with one kind of error."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from credential_samples import CREATED, DEVICE, MATERIAL, VECTORS

from keytrust.credential import MAX_CREDENTIAL_BYTES, MAX_ENTRIES, Dialect, KeyCredential, KeyCredentialError, build
from keytrust.errors import KeytrustError

HEADER = bytes.fromhex("00020000")


def entry(identifier: int, value: bytes) -> bytes:
    return len(value).to_bytes(2, "little") + bytes([identifier]) + value


@pytest.mark.parametrize("name", VECTORS)
def test_a_value_cut_short_anywhere_is_refused_or_lacks_its_last_entries(name: str) -> None:
    data = VECTORS[name]
    ends, position = {4}, 4
    for _, value in KeyCredential.from_bytes(data).entries:
        position += 3 + len(value)
        ends.add(position)
    for size in range(len(data)):
        if size in ends:
            assert KeyCredential.from_bytes(data[:size]).to_bytes() == data[:size]
        else:
            with pytest.raises(KeyCredentialError):
                KeyCredential.from_bytes(data[:size])


@pytest.mark.parametrize("extra", [b"\0", b"\0\0", b"\xff\xff\x03", b"\x01\0\x09"])
def test_stray_bytes_after_the_last_entry_are_refused(extra: bytes) -> None:
    with pytest.raises(KeyCredentialError):
        KeyCredential.from_bytes(VECTORS["UserKey1"] + extra)


@pytest.mark.parametrize("version", [1, 0x201, 0x300, 0x2000000, 0xFFFFFFFF])
def test_an_unknown_version_is_refused_by_name(version: int) -> None:
    with pytest.raises(KeyCredentialError, match=f"0x{version:x}"):
        KeyCredential.from_bytes(version.to_bytes(4, "little") + VECTORS["UserKey1"][4:])


def test_duplicate_unknown_and_misplaced_entries_are_kept_in_their_order() -> None:
    stored = ((9, bytes(8)), (200, b"future"), (3, b"one"), (3, b"two"), (0, b""), (1, b"\x01" * 7), (255, b""))
    data = HEADER + b"".join(entry(identifier, value) for identifier, value in stored)
    credential = KeyCredential.from_bytes(data)
    assert credential.entries == stored
    assert credential.to_bytes() == data
    assert credential.key_material == b"one"
    assert credential.key_id == b"\x01" * 7
    assert credential.value(200) == b"future"


def test_odd_entries_give_none_instead_of_an_exception() -> None:
    data = HEADER + b"".join(entry(identifier, b"") for identifier in range(256))
    credential = KeyCredential.from_bytes(data)
    assert (credential.usage, credential.source, credential.device_id) == (None, None, None)
    assert (credential.created, credential.last_logon, credential.computed_key_id) == (None, None, None)
    assert credential.custom_key_information is not None
    assert credential.custom_key_information.flags is None
    assert not credential.is_intact()
    assert "no key material" in repr(credential)


def test_an_entry_of_the_greatest_length_is_kept() -> None:
    material = b"{" + b"x" * 65534
    credential = build(material, device_id=DEVICE, created=CREATED, dialect=Dialect.ENTRA)
    assert KeyCredential.from_bytes(credential.to_bytes()).key_material == material


def test_values_of_the_first_preview_releases_are_padded_and_kept() -> None:
    value = KeyCredential.from_entries([(1, b"12345"), (4, b"NGC"), (3, b"12345678")], version=0)
    assert value.to_bytes() == bytes(4) + b"\5\0\1" + b"12345\0\0\0" + b"\3\0\4NGC\0" + b"\x08\0\x03" + b"12345678"
    assert KeyCredential.from_bytes(value.to_bytes()).entries == ((1, b"12345"), (4, b"NGC"), (3, b"12345678"))
    unpadded_end = KeyCredential.from_bytes(bytes(4) + entry(4, b"NGC"))
    assert unpadded_end.to_bytes() == bytes(4) + entry(4, b"NGC")


def test_a_value_without_any_entry_is_kept() -> None:
    assert KeyCredential.from_bytes(HEADER).entries == ()
    assert KeyCredential.from_bytes(HEADER).to_bytes() == HEADER


def test_size_and_number_of_entries_are_bounded() -> None:
    assert len(KeyCredential.from_bytes(HEADER + entry(0, b"") * MAX_ENTRIES).entries) == MAX_ENTRIES
    with pytest.raises(KeyCredentialError, match=str(MAX_ENTRIES)):
        KeyCredential.from_bytes(HEADER + entry(0, b"") * (MAX_ENTRIES + 1))
    with pytest.raises(KeyCredentialError, match=str(MAX_CREDENTIAL_BYTES)):
        KeyCredential.from_bytes(HEADER + entry(3, b"x" * 65535) * 16)


@pytest.mark.parametrize("view", [bytearray, memoryview])
def test_other_kinds_of_bytes_are_copied(view: Any) -> None:
    source = bytearray(VECTORS["UserKey1"])
    credential = KeyCredential.from_bytes(view(source))
    source[-1] ^= 0xFF
    assert credential.to_bytes() == VECTORS["UserKey1"]


@pytest.mark.parametrize("data", [None, "00020000", 4, [0, 2, 0, 0]])
def test_what_is_not_bytes_is_refused(data: Any) -> None:
    with pytest.raises(KeyCredentialError, match="bytes"):
        KeyCredential.from_bytes(data)


@pytest.mark.parametrize(
    ("entries", "version"),
    [([(256, b"")], 0x200), ([(-1, b"")], 0x200), ([(3, bytes(65536))], 0x200), ([], -1), ([], 1 << 32), ([], 7)],
)
def test_entries_that_do_not_fit_the_format_are_refused(entries: list[tuple[int, bytes]], version: int) -> None:
    with pytest.raises(KeyCredentialError):
        KeyCredential.from_entries(entries, version=version)


def test_a_key_credential_cannot_be_changed() -> None:
    credential: Any = KeyCredential.from_bytes(VECTORS["UserKey1"])
    with pytest.raises(AttributeError):
        credential._data = b""
    with pytest.raises(AttributeError):
        del credential._data
    with pytest.raises(AttributeError):
        credential.anything = 1
    assert credential.to_bytes() == VECTORS["UserKey1"]


def test_key_credentials_are_values() -> None:
    one, same = (KeyCredential.from_bytes(bytes(VECTORS["UserKey1"])) for _ in range(2))
    other = KeyCredential.from_bytes(VECTORS["ComputerKey"])
    assert one == same
    assert one != other
    assert one != VECTORS["UserKey1"]
    assert len({one, same, other}) == 2
    assert bytes(one) == VECTORS["UserKey1"]
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301
    assert "usage=1 source=0" in repr(build(MATERIAL, device_id=None, created=CREATED, dialect=Dialect.ENTRA, source=0))


def test_the_error_is_both_ours_and_a_value_error() -> None:
    assert issubclass(KeyCredentialError, KeytrustError)
    assert issubclass(KeyCredentialError, ValueError)
