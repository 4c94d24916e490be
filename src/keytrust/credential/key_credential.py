"""One key credential: the binary part of an ``msDS-KeyCredentialLink`` value ([MS-ADTS] 2.2.20)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NoReturn
from uuid import UUID

from keytrust.credential.custom_info import CustomKeyInformation
from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.identifiers import EntryId, KeySource, KeyUsage
from keytrust.credential.layout import VERSION_0, VERSION_2, Layout, entry_header, layout_of
from keytrust.credential.times import KeyTime, TimeForm
from keytrust.credential.verification import Problem, find_problems, is_fido_credential_id

_USAGES: dict[int, KeyUsage] = {int(member): member for member in KeyUsage}
_SOURCES: dict[int, KeySource] = {int(member): member for member in KeySource}
_KIND_BITS = 0b11 << 62

# Plain integers: looking up an enum member by attribute on the fast path would cost as much as the look-up itself.
_KEY_ID, _KEY_HASH, _KEY_MATERIAL = 1, 2, 3


class KeyCredential:
    """An immutable key credential.

    It keeps the bytes it was read from, so that any value, however odd, is written back byte for byte. Where an
    identifier occurs twice the properties show the first; ``entries`` shows all. No property raises: what cannot be
    interpreted is None, and ``entries`` has the raw bytes. Two credentials are equal when their bytes are; keys are
    compared by ``computed_key_id``.
    """

    __slots__ = ("_data", "_layout")
    _data: bytes
    _layout: Layout

    def __init__(self, data: bytes) -> None:
        """See ``from_bytes``."""
        if type(data) is not bytes:
            if not isinstance(data, bytes | bytearray | memoryview):
                raise KeyCredentialError(f"a key credential is read from bytes, not from {type(data).__name__}")
            data = bytes(data)
        layout = layout_of(data)
        _set_data(self, data)
        _set_layout(self, layout)

    @classmethod
    def from_bytes(cls, data: bytes) -> KeyCredential:
        """Read a KEYCREDENTIALLINK_BLOB.

        Raises:
            KeyCredentialError: its structure is broken (see ``layout_of``), so that it has no entries to speak of.
        """
        return cls(data)

    @classmethod
    def _with_layout(cls, data: bytes, layout: Layout) -> KeyCredential:
        """Wrap bytes that were just made, whose layout is known: for ``build`` alone."""
        credential = cls.__new__(cls)
        _set_data(credential, data)
        _set_layout(credential, layout)
        return credential

    @classmethod
    def from_entries(cls, entries: Iterable[tuple[int, bytes]], *, version: int = VERSION_2) -> KeyCredential:
        """Assemble a key credential from entries exactly as given: nothing is computed, sorted or checked.

        Raises:
            KeyCredentialError: an identifier, a length or the version does not fit the format.
        """
        parts = [version.to_bytes(4, "little") if 0 <= version < 1 << 32 else b""]
        for identifier, value in entries:
            if not 0 <= identifier <= 0xFF or len(value) > 0xFFFF:
                raise KeyCredentialError(f"entry {identifier} of {len(value)} bytes does not fit in a key credential")
            parts += (entry_header(identifier, len(value)), value)
            if version == VERSION_0:
                parts.append(bytes(-len(value) % 4))
        return cls(b"".join(parts))

    def to_bytes(self) -> bytes:
        """The KEYCREDENTIALLINK_BLOB, byte-identical to what was read."""
        return self._data

    def __bytes__(self) -> bytes:
        return self._data

    def is_intact(self) -> bool:
        """Whether KeyID and KeyHash are both there and both right, by computing both hashes.

        It is the quick form of asking whether ``problems()`` has nothing to say about either of the two.
        """
        data, first = self._data, self._layout.first
        try:
            key_hash, material = first[_KEY_HASH], data[first[_KEY_MATERIAL]]
            key_id = data[first[_KEY_ID]]
        except KeyError:
            return False
        if sha256(data[key_hash.stop :]).digest() != data[key_hash] or not material:
            return False
        return sha256(material).digest() == key_id or is_fido_credential_id(key_id, material)

    def problems(self) -> tuple[Problem, ...]:
        """Everything about this value that is not as [MS-ADTS] 2.2.20 and practice have it; ``()`` if nothing."""
        return find_problems(self)

    @property
    def version(self) -> int:
        """The structure's version: 0x200, or 0 or 0x100 in values from preview releases."""
        return self._layout.version

    @property
    def identifiers(self) -> tuple[int, ...]:
        """The identifier of every entry in stored order, unknown and duplicate ones included."""
        return self._layout.identifiers

    @property
    def entries(self) -> tuple[tuple[int, bytes], ...]:
        """``(identifier, value)`` of every entry in stored order, unknown and duplicate ones included."""
        data = self._data
        return tuple((identifier, data[start:end]) for identifier, start, end in self._layout.spans)

    def value(self, identifier: int) -> bytes | None:
        """The raw value of the first entry with this identifier; None if there is none."""
        where = self._layout.first.get(identifier)
        return None if where is None else self._data[where]

    def after(self, identifier: int) -> bytes | None:
        """All bytes that follow the first entry with this identifier: what KeyHash is the hash of."""
        where = self._layout.first.get(identifier)
        return None if where is None else self._data[where.stop :]

    @property
    def key_id(self) -> bytes | None:
        """The stored KeyID, whatever its length."""
        return self.value(EntryId.KEY_ID)

    @property
    def key_hash(self) -> bytes | None:
        """The stored KeyHash, whatever its length."""
        return self.value(EntryId.KEY_HASH)

    @property
    def key_material(self) -> bytes | None:
        """The key material as stored; ``parse_material`` reads it."""
        return self.value(EntryId.KEY_MATERIAL)

    @property
    def computed_key_id(self) -> bytes | None:
        """SHA-256 of the key material: the identity by which keys are compared; None if there is no material."""
        material = self.value(_KEY_MATERIAL)
        return sha256(material).digest() if material else None

    @property
    def usage(self) -> int | None:
        """What the key is for, a ``KeyUsage`` when it is a known one; None if not stored as one byte."""
        value = self.value(EntryId.KEY_USAGE)
        return _USAGES.get(value[0], value[0]) if value is not None and len(value) == 1 else None

    @property
    def source(self) -> int | None:
        """Where the key was registered, a ``KeySource`` when it is a known one; None if not stored as one byte."""
        value = self.value(EntryId.KEY_SOURCE)
        return _SOURCES.get(value[0], value[0]) if value is not None and len(value) == 1 else None

    @property
    def device_id(self) -> UUID | None:
        """The device that made the key; None if there is none or it is not 16 bytes."""
        value = self.value(EntryId.DEVICE_ID)
        return UUID(bytes_le=value) if value is not None and len(value) == 16 else None

    @property
    def custom_key_information(self) -> CustomKeyInformation | None:
        """The custom key information, of any length."""
        value = self.value(EntryId.CUSTOM_KEY_INFORMATION)
        return None if value is None else CustomKeyInformation(value)

    @property
    def last_logon(self) -> KeyTime | None:
        """When the key was last used, approximately; raw 0 means never. None if not stored as 8 bytes."""
        return self._time(EntryId.LAST_LOGON)

    @property
    def created(self) -> KeyTime | None:
        """When the key was registered; None if not stored as 8 bytes."""
        return self._time(EntryId.CREATED)

    def _time(self, identifier: int) -> KeyTime | None:
        value = self.value(identifier)
        if value is None or len(value) != 8:
            return None
        raw = int.from_bytes(value, "little")
        if self.version != VERSION_2:
            return KeyTime(raw, TimeForm.BINARY)
        match self.source:
            case KeySource.AD:
                form = TimeForm.FILETIME
            case KeySource.AZURE_AD:
                form = TimeForm.BINARY
            case _:  # the kind bits make any FILETIME absurd, so they tell the two apart
                form = TimeForm.BINARY if raw & _KIND_BITS else TimeForm.FILETIME
        return KeyTime(raw, form)

    def __eq__(self, other: object) -> bool:
        return self._data == other._data if isinstance(other, KeyCredential) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._data)

    def __repr__(self) -> str:
        identity = self.computed_key_id
        name = "no key material" if identity is None else identity.hex()
        return f"<KeyCredential {name} usage={self.usage} source={self.source} {len(self._data)} bytes>"

    def __reduce__(self) -> tuple[type[KeyCredential], tuple[bytes]]:
        return type(self), (self._data,)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a KeyCredential cannot be changed ({name})")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a KeyCredential cannot be changed ({name})")


# The slots' own setters are the one way past __setattr__, and quicker than object.__setattr__.
_set_data = KeyCredential.__dict__["_data"].__set__
_set_layout = KeyCredential.__dict__["_layout"].__set__
