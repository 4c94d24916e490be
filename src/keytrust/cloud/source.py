"""What every place that keys are registered in has to offer: the ``KeySource`` protocol and its types.

The one idea here is that *absent is not empty*. "This user has no keys" and "we could not learn this user's keys" are
two different types, so that code which removes keys cannot mistake one for the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

NGC = "NGC"
"""The ``keyType`` of a Windows Hello for Business key. Others (FIDO, …) are read and never written to the directory."""


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """One public key as the cloud reports it.

    Attributes:
        material: The key material, decoded from base64 (a BCRYPT ``RSA1`` blob in practice). Untrusted bytes.
        device_id: The device that made the key, when reported.
        key_type: The cloud's own word, ``"NGC"`` for Windows Hello for Business.
        created: When it was registered (aware, UTC), when reported.
        custom_key_information: The cloud's own bytes, when reported.
        key_id: SHA-256 of the key material: the identity by which keys are compared ([MS-ADTS] 2.2.20.6, KeyID).
    """

    material: bytes
    device_id: UUID | None = None
    key_type: str = NGC
    created: datetime | None = None
    custom_key_information: bytes | None = None
    key_id: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key_id", hashlib.sha256(self.material).digest())


@dataclass(frozen=True, slots=True)
class Reported:
    """The cloud positively reported this user's complete key list, which may be empty."""

    keys: tuple[RegisteredKey, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """The user's key list is not known: nothing may be removed on the strength of it.

    Attributes:
        reason: Why ("no deviceKeys property", "entry 2 is not base64"), for the operator.
        keys: Those keys that were legible all the same. They may be added, never used to infer an absence.
    """

    reason: str
    keys: tuple[RegisteredKey, ...] = ()


KeyList = Reported | Unknown


@dataclass(frozen=True, slots=True)
class CloudUser:
    """A user of the cloud directory, as far as it matters for key trust.

    Attributes:
        id: The cloud's object id.
        upn: ``userPrincipalName``, for display; never used to match.
        source_anchor: The decoded ``onPremisesImmutableId`` (16 bytes when it is a GUID); None for a cloud-only user.
        sid: ``onPremisesSecurityIdentifier`` in text form, which corroborates the match.
        keys: The key list, or why it is not known.
        enabled: ``accountEnabled``, when reported.
    """

    id: str
    upn: str
    source_anchor: bytes | None
    sid: str | None
    keys: KeyList = field(default_factory=lambda: Unknown("not read"))
    enabled: bool | None = None


Progress = Callable[[int], None]
"""Called with the number of items done so far, at a rate fit for a progress bar."""


class KeySource(Protocol):
    """A place where public keys are registered."""

    @property
    def name(self) -> str:
        """Where this is, for people: a URL or a file name. No secrets."""

    def read(self, progress: Progress | None = None) -> Iterator[CloudUser]:
        """Yield every user once.

        Raises:
            CloudError: the read did not complete. Whatever was yielded before must then not be used to remove a key.
        """
