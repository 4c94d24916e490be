"""Whatever a directory holds: only KeyCredentialError, nothing lost, verification that agrees with itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from keytrust.credential import (
    Dialect,
    DnWithBinary,
    KeyCredential,
    KeyCredentialError,
    KeyCredentialLink,
    KeyTime,
    TimeForm,
    attribute_text,
    build,
    canonical_key_id,
    parse_material,
    to_rsa1,
    weaknesses,
)

_FILE = Path(__file__).parents[2] / "data" / "key_credentials.json"
VECTORS = [bytes.fromhex(text) for text in json.loads(_FILE.read_text(encoding="utf-8"))["vectors"].values()]
MATERIALS = [material for data in VECTORS if (material := KeyCredential.from_bytes(data).key_material) is not None]
# RFC 5480's SubjectPublicKeyInfo, of RSA and of the base point of P-256.
MATERIALS.append(bytes.fromhex("30820122300d06092a864886f70d01010105000382010f00") + MATERIALS[1])
MATERIALS.append(
    bytes.fromhex(
        "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
)
VERSIONS = [0, 0x100, 0x200]

entries = st.lists(st.tuples(st.integers(0, 255) | st.integers(1, 9), st.binary(max_size=48)), max_size=14)
moments = st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))
odd_numbers = st.integers(1 << 40, 1 << 4200).map(lambda n: n | 1)


@st.composite
def mutated(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """A valid value with bytes changed, cut out, repeated or inserted."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        data[start:end] = draw(st.binary(max_size=12) | st.just(bytes(data[start:end]) * 2))
    return bytes(data)


@st.composite
def shaped(draw: st.DrawFn) -> bytes:
    """A value with entries in order and of lengths that occur, or nearly so: the shapes read by comparison."""
    lengths: dict[int, list[int | None]] = {1: [32], 2: [32], 3: [283, 270, 294, 411, 539, 282], 4: [1], 5: [1]}
    lengths |= {6: [16, None], 7: [2, 15, 16, None], 8: [8, None], 9: [8, 7]}
    chosen = [(identifier, draw(st.sampled_from(options))) for identifier, options in lengths.items()]
    fill = draw(st.integers(0, 255))
    return blob(0x200, [(identifier, bytes([fill]) * size) for identifier, size in chosen if size is not None])


def blob(version: int, values: list[tuple[int, bytes]]) -> bytes:
    parts = [len(value).to_bytes(2, "little") + bytes([identifier]) + value for identifier, value in values]
    padding = [bytes(-len(value) % 4) if version == 0 else b"" for _, value in values]
    return version.to_bytes(4, "little") + b"".join(part + pad for part, pad in zip(parts, padding, strict=True))


def reference(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """The specification's sentence about entries as plainly as it can be written: identifier, value, what follows."""
    rest, found = data[4:], []
    while rest:
        size = int.from_bytes(rest[:2], "little")
        found.append((rest[2], rest[3 : 3 + size], rest[3 + size :]))
        rest = rest[3 + size :]
    return found


def exercise(credential: KeyCredential) -> None:
    """Use everything a credential offers; nothing of it may raise."""
    assert KeyCredential.from_bytes(credential.to_bytes()) == credential
    reasons = {
        problem.code
        for problem in credential.problems()
        if (problem.entry in (1, 2) and problem.code in ("missing-entry", "key-id-mismatch", "key-hash-mismatch"))
        or (problem.entry == 3 and problem.code == "missing-entry")
    }
    assert credential.is_intact() is not bool(reasons)
    for time in (credential.last_logon, credential.created):
        if time is not None:
            assert (time.datetime() is None) is (time.isoformat() is None)
            assert str(time)
    information = credential.custom_key_information
    if information is not None:
        assert (information.flags is None) is (len(information.raw) < 2)
    assert (credential.device_id is None) or len(credential.value(6) or b"") == 16
    assert (credential.usage is None) or len(credential.value(4) or b"") == 1
    assert (credential.source is None) or len(credential.value(5) or b"") == 1
    assert repr(credential)


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda data: b"\x00\x02\x00\x00" + data))
def test_arbitrary_bytes_are_read_losslessly_or_refused(data: bytes) -> None:
    try:
        credential = KeyCredential.from_bytes(data)
    except KeyCredentialError:
        return
    assert credential.to_bytes() == data
    exercise(credential)


@given(mutated(VECTORS))
def test_damaged_real_values_are_read_losslessly_or_refused(data: bytes) -> None:
    try:
        credential = KeyCredential.from_bytes(data)
    except KeyCredentialError:
        return
    assert credential.to_bytes() == data
    exercise(credential)


@given(st.sampled_from(VERSIONS), entries)
def test_any_sequence_of_entries_survives(version: int, values: list[tuple[int, bytes]]) -> None:
    data = blob(version, values)
    credential = KeyCredential.from_bytes(data)
    assert list(credential.entries) == values
    assert credential.version == version
    assert KeyCredential.from_entries(values, version=version).to_bytes() == data
    for identifier in {identifier for identifier, _ in values}:
        assert credential.value(identifier) == next(value for other, value in values if other == identifier)
    exercise(credential)


@given(shaped())
def test_values_of_common_shape_are_read_as_the_specification_says(data: bytes) -> None:
    credential = KeyCredential.from_bytes(data)
    expected = reference(data)
    assert list(credential.entries) == [(identifier, value) for identifier, value, _ in expected]
    for identifier, value, rest in expected:
        assert (credential.value(identifier), credential.after(identifier)) == (value, rest)


@given(
    st.binary(min_size=1, max_size=600),
    st.none() | st.uuids(),
    moments,
    st.sampled_from(list(Dialect)),
    st.integers(0, 255),
    st.integers(0, 255),
    st.none() | st.binary(min_size=2, max_size=40),
)
def test_what_is_built_says_what_was_asked_for(
    material: bytes,
    device: UUID | None,
    created: datetime,
    dialect: Dialect,
    usage: int,
    source: int,
    information: bytes | None,
) -> None:
    credential = build(
        material,
        device_id=device,
        created=created,
        dialect=dialect,
        usage=usage,
        source=source,
        custom_key_information=information,
    )
    assert credential.is_intact()
    assert credential.entries == KeyCredential.from_bytes(credential.to_bytes()).entries
    assert credential.key_material == material
    assert credential.key_id == credential.computed_key_id == sha256(material).digest()
    assert (credential.usage, credential.source, credential.device_id) == (usage, source, device)
    assert credential.created is not None
    assert credential.created.datetime() == created
    identifiers = [identifier for identifier, _ in credential.entries]
    assert identifiers == sorted(identifiers)
    stored = credential.value(7)
    assert stored is not None
    if dialect is Dialect.PORTABLE:
        assert len(stored) == 2
    elif information is not None:
        assert stored == information
    exercise(credential)


@given(st.text(max_size=60) | st.binary(max_size=60) | st.from_regex(r"B:\d{1,3}:[0-9a-fA-F]{0,40}:.{0,30}"))
@example("B:8:00020000:CN=x")
@example("B:0::x")
def test_arbitrary_text_comes_back_exactly_or_is_refused(value: str | bytes) -> None:
    text = value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
    try:
        plain = DnWithBinary.parse(value)
    except KeyCredentialError:
        assert not _parses_as_link(value)
        return
    assert str(plain) == text
    assert text == f"B:{text.split(':')[1]}:{text.split(':')[2]}:{plain.dn}"
    assert bytes.fromhex(text.split(":")[2]) == plain.binary
    _parses_as_link(value)


def _parses_as_link(value: str | bytes) -> bool:
    try:
        link = KeyCredentialLink.parse(value)
    except KeyCredentialError:
        return False
    assert str(link) == (value if isinstance(value, str) else value.decode())
    return True


@given(st.sampled_from(VECTORS), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80), st.data())
def test_a_link_survives_in_any_mixture_of_cases(binary: bytes, dn: str, data: st.DataObject) -> None:
    made = attribute_text(KeyCredential.from_bytes(binary), dn)
    cut = data.draw(st.integers(0, 2 * len(binary)))
    prefix = len(made) - len(dn) - 1 - 2 * len(binary)
    text = made[: prefix + cut] + made[prefix + cut : -len(dn)].lower() + dn
    for value in (text, text.encode()):
        link = KeyCredentialLink.parse(value)
        assert (str(link), link.binary, link.dn) == (text, binary, dn)


@given(st.sampled_from(VECTORS).map(lambda data: f"B:{2 * len(data)}:{data.hex()}:CN=x".encode()).flatmap(
    lambda text: mutated([text])
))  # fmt: skip
def test_damaged_links_come_back_exactly_or_are_refused(value: bytes) -> None:
    _parses_as_link(value)


@given(
    mutated(MATERIALS)
    | st.binary(max_size=200)
    | st.tuples(st.sampled_from([b"RSA1", b"PCPM", b"\x30\x82", b"{"]), st.binary(max_size=200)).map(b"".join)
)
def test_arbitrary_material_raises_nothing_else(material: bytes) -> None:
    try:
        parsed = parse_material(material)
    except KeyCredentialError:
        assert canonical_key_id(material) is None
        return
    if canonical_key_id(material) is not None:
        assert type(parsed.public_key).__name__ == "RsaPublicKey"


@given(st.sampled_from(MATERIALS))
def test_the_materials_that_are_mutated_are_readable_to_begin_with(material: bytes) -> None:
    parse_material(material)


@given(odd_numbers, st.integers(1, 1 << 40))
def test_every_rsa_key_survives_its_encoding(n: int, e: int) -> None:
    material = to_rsa1(n, e)
    key = parse_material(material).public_key
    assert (getattr(key, "n", None), getattr(key, "e", None)) == (n, e)
    assert canonical_key_id(material) == sha256(material).digest()


@given(st.integers(-10, 1 << 4200), st.integers(-10, 1 << 300))
def test_weaknesses_are_told_of_any_numbers(n: int, e: int) -> None:
    found = weaknesses(n, e)
    assert len(found) == len(set(found))
    if 0 < n < 1 << 2047:
        assert found


@given(st.integers(0, (1 << 64) - 1), st.sampled_from(list(TimeForm)))
def test_every_time_keeps_its_bits_and_converts_without_loss(raw: int, form: TimeForm) -> None:
    time = KeyTime(raw, form)
    assert time.converted(form) is time
    moment, text = time.datetime(), time.isoformat()
    if moment is None or text is None:
        return
    again = KeyTime.from_isoformat(text, TimeForm.BINARY)
    assert again.ticks == time.ticks
    assert KeyTime.from_datetime(moment, TimeForm.BINARY).ticks == time.ticks - time.ticks % 10
    if moment.year > 1600:
        assert again.converted(TimeForm.FILETIME).ticks == time.ticks


@given(moments, st.sampled_from(list(TimeForm)))
def test_every_moment_survives_both_forms(moment: datetime, form: TimeForm) -> None:
    assert KeyTime.from_datetime(moment, form).datetime() == moment
