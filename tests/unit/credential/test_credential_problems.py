"""Verification names each thing that is wrong with a value, once, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pytest
from credential_samples import CREATED, DEVICE, MATERIAL, VECTORS, entries_with_hash

from keytrust.credential import Dialect, KeyCredential, KeyTime, ProblemCode, TimeForm, build

Entries = list[tuple[int, bytes]]
INTACT: Entries = list(build(MATERIAL, device_id=DEVICE, created=CREATED, dialect=Dialect.ENTRA).entries)


def found(entries: Entries, version: int = 0x200) -> list[tuple[ProblemCode, int | None]]:
    problems = KeyCredential.from_entries(entries, version=version).problems()
    assert all(problem.message for problem in problems)
    return [(problem.code, problem.entry) for problem in problems]


def changed(identifier: int, value: bytes) -> Entries:
    """The intact value with one entry after the hash replaced, and correct hashes."""
    return entries_with_hash([(i, value if i == identifier else v) for i, v in INTACT[2:]])


def test_an_intact_value_has_no_problems() -> None:
    assert found(INTACT) == []


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (INTACT[1:], [(ProblemCode.MISSING_ENTRY, 1)]),
        ([INTACT[0], *INTACT[2:]], [(ProblemCode.MISSING_ENTRY, 2)]),
        ([(1, bytes(32)), *INTACT[1:]], [(ProblemCode.KEY_ID_MISMATCH, 1)]),
        ([(1, b""), *INTACT[1:]], [(ProblemCode.KEY_ID_MISMATCH, 1)]),
        ([INTACT[0], (2, bytes(32)), *INTACT[2:]], [(ProblemCode.KEY_HASH_MISMATCH, 2)]),
        (
            [INTACT[0], (2, INTACT[1][1][:31]), *INTACT[2:]],
            [(ProblemCode.BAD_LENGTH, 2), (ProblemCode.KEY_HASH_MISMATCH, 2)],
        ),
        (entries_with_hash([*INTACT[2:], (77, b"new")]), [(ProblemCode.UNKNOWN_ENTRY, 77)]),
        (
            entries_with_hash([*INTACT[2:], (77, b""), (77, b"")]),
            [(ProblemCode.DUPLICATE_ENTRY, 77), (ProblemCode.UNKNOWN_ENTRY, 77)],
        ),
        (entries_with_hash([INTACT[2], *INTACT[2:]]), [(ProblemCode.DUPLICATE_ENTRY, 3)]),
        (entries_with_hash([*INTACT[3:], INTACT[2]]), [(ProblemCode.OUT_OF_ORDER, None)]),
        (changed(4, b"\x05"), [(ProblemCode.UNKNOWN_USAGE, 4)]),
        (changed(4, b"NGC"), [(ProblemCode.BAD_LENGTH, 4)]),
        (changed(5, b"\x02"), [(ProblemCode.UNKNOWN_SOURCE, 5)]),
        (changed(6, bytes(15)), [(ProblemCode.BAD_LENGTH, 6)]),
        (changed(7, b"\x01"), [(ProblemCode.BAD_LENGTH, 7)]),
        (changed(7, b"\x02\x00"), [(ProblemCode.UNKNOWN_CUSTOM_KEY_INFORMATION, 7)]),
        (changed(8, bytes(9)), [(ProblemCode.BAD_LENGTH, 8)]),
        (changed(8, b"\xff" * 7 + b"\x7f"), [(ProblemCode.ODD_TIME, 8)]),
        (changed(9, bytes(8)), [(ProblemCode.ODD_TIME, 9)]),
        (changed(9, b"\xff" * 8), [(ProblemCode.ODD_TIME, 9)]),
        (changed(9, b""), [(ProblemCode.BAD_LENGTH, 9)]),
        (entries_with_hash(INTACT[2:8]), [(ProblemCode.MISSING_ENTRY, 9)]),
        (changed(3, b"not a key"), [(ProblemCode.UNREADABLE_MATERIAL, 3)]),
        (changed(3, MATERIAL[:-1]), [(ProblemCode.UNREADABLE_MATERIAL, 3)]),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_its_entry(entries: Entries, expected: list[tuple[ProblemCode, int | None]]) -> None:
    assert found(entries) == expected


def test_a_filetime_in_a_value_from_the_cloud_is_an_odd_time() -> None:
    filetime = KeyTime.from_datetime(CREATED, TimeForm.FILETIME).raw.to_bytes(8, "little")
    assert found(changed(9, filetime)) == [(ProblemCode.ODD_TIME, 9)]


def test_material_that_is_missing_or_empty_is_a_problem_and_not_intact() -> None:
    rest = KeyCredential.from_entries(INTACT[3:]).to_bytes()[4:]
    without = [INTACT[0], (2, sha256(rest).digest()), *INTACT[3:]]
    assert found(without) == [(ProblemCode.MISSING_ENTRY, 3)]
    empty = changed(3, b"")
    assert found(empty) == [(ProblemCode.KEY_ID_MISMATCH, 1), (ProblemCode.UNREADABLE_MATERIAL, 3)]
    assert not KeyCredential.from_entries(without).is_intact()
    assert not KeyCredential.from_entries(empty).is_intact()


def test_a_value_of_an_old_version_is_named_as_such() -> None:
    assert found(INTACT, version=0x100) == [(ProblemCode.OLD_VERSION, None)]


def test_another_key_id_on_a_security_key_is_a_mismatch() -> None:
    fido = list(KeyCredential.from_bytes(VECTORS["UserKeyFIDO0"]).entries)
    assert found([(1, bytes(16)), *fido[1:]]) == [(ProblemCode.KEY_ID_MISMATCH, 1)]
    hashed = [(1, sha256(fido[2][1]).digest()), *fido[1:]]
    assert found(hashed) == []


def test_the_key_id_of_a_security_key_with_unreadable_material_is_a_mismatch() -> None:
    broken = [(1, b"credential id"), *changed(3, b'{"version":1')[1:]]
    assert found(broken) == [(ProblemCode.KEY_ID_MISMATCH, 1), (ProblemCode.UNREADABLE_MATERIAL, 3)]
    assert not KeyCredential.from_entries(broken).is_intact()


def test_a_value_full_of_unknown_entries_does_not_flood_the_report() -> None:
    many = [(identifier, b"") for identifier in range(10, 250) for _ in range(10)]
    assert len(found([*INTACT, *many])) <= 2 * 240 + 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda entries: [(1, bytes(32)), *entries[1:]],
        lambda entries: [entries[0], (2, bytes(32)), *entries[2:]],
        lambda entries: entries[1:],
        lambda entries: [entries[0], *entries[2:]],
    ],
)
def test_the_quick_check_sees_what_verification_sees(damage: Callable[[Entries], Entries]) -> None:
    assert KeyCredential.from_entries(INTACT).is_intact()
    assert not KeyCredential.from_entries(damage(INTACT)).is_intact()
