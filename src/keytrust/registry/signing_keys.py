"""The keys that sign the registry's own tokens: files in a private directory, replaced in good time."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from keytrust.errors import RegistryError
from keytrust.registry.jwk import public_jwk

LIFE = 90 * 86_400.0
"""How long a key signs, seconds."""
GRACE = 86_400.0
"""How long a key that was replaced is still published and accepted, seconds; longer than any token lives."""

_NAME = re.compile(r"([0-9]{1,12})-([A-Za-z0-9_-]{43})\.pem")


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    since: int
    private: rsa.RSAPrivateKey
    public: dict[str, object]


class SigningKeys:
    """The signing keys in one directory, which several processes may share. Safe to use from many threads.

    Args:
        directory: Where they live; created with mode 0700 if missing. Files are ``<since>-<thumbprint>.pem``,
            mode 0600.
        now: The clock, seconds since 1970.

    Raises:
        RegistryError: the directory cannot be used, or holds a damaged key.
    """

    def __init__(self, directory: Path, *, now: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._now = now
        self._lock = threading.Lock()
        self._keys: list[_Key] = []
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        self._reload()
        self._current()

    def __repr__(self) -> str:
        return f"SigningKeys({str(self._directory)!r})"

    def sign(self, claims: dict[str, object]) -> str:
        """A token with exactly these claims, signed by the current key (RS256)."""
        key = self._current()
        return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid})

    def find(self, kid: str) -> jwt.PyJWK | None:
        """The public key with this id, if it is published now."""
        key = self._find(kid)
        if key is None:
            self._reload()  # another process may have made it; this lists a directory of two or three files
            key = self._find(kid)
        return None if key is None else jwt.PyJWK(dict(key.public))

    def key_set(self) -> dict[str, object]:
        """The public JSON Web Key Set (RFC 7517): the current key first, then those still accepted."""
        self._current()
        return {"keys": [key.public for key in reversed(self._published())]}

    def rotate(self) -> str:
        """Sign with a new key from now on; the one before is accepted for ``GRACE`` more. Returns the new key's id."""
        with self._lock:
            made = self._make()
            self._keys = sorted([*self._keys, made], key=lambda key: (key.since, key.kid))
            self._forget()
            return made.kid

    def _current(self) -> _Key:
        with self._lock:
            if not self._keys or self._keys[-1].since + LIFE <= self._now():
                self._load_locked()
            if not self._keys or self._keys[-1].since + LIFE <= self._now():
                self._keys.append(self._make())
                self._forget()
            return self._keys[-1]

    def _published(self) -> list[_Key]:
        with self._lock:
            return self._alive()

    def _alive(self) -> list[_Key]:
        """Those accepted now, oldest first: a key is replaced when the next one begins."""
        horizon = self._now() - GRACE
        return [
            key
            for number, key in enumerate(self._keys)
            if number == len(self._keys) - 1 or self._keys[number + 1].since > horizon
        ]

    def _find(self, kid: str) -> _Key | None:
        return next((key for key in self._published() if key.kid == kid), None)

    def _forget(self) -> None:
        alive = self._alive()
        for key in self._keys:
            if key not in alive:
                self._path(key.since, key.kid).unlink(missing_ok=True)
        self._keys = alive

    def _reload(self) -> None:
        with self._lock:
            self._load_locked()

    def _load_locked(self) -> None:
        known = {key.kid: key for key in self._keys}
        keys = []
        try:
            for path in self._directory.iterdir():
                name = _NAME.fullmatch(path.name)
                if name:
                    keys.append(known.get(name[2]) or self._read(path, int(name[1])))
        except FileNotFoundError:
            return  # another process has just forgotten one; what we hold is good
        except (OSError, ValueError, TypeError) as error:
            raise self._unusable(error) from error
        self._keys = sorted(keys, key=lambda key: (key.since, key.kid))

    def _read(self, path: Path, since: int) -> _Key:
        private: Any = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise ValueError(f"{path.name} is not an RSA key")  # noqa: TRY004 - its content is at fault
        return _key(private, since)

    def _make(self) -> _Key:
        since = max(int(self._now()), self._keys[-1].since + 1 if self._keys else 0)  # the newest is the one that signs
        key = _key(rsa.generate_private_key(public_exponent=65537, key_size=2048), since)
        pem = key.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=".new-")  # mode 0600
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path(key.since, key.kid))
        except OSError as error:
            raise self._unusable(error) from error
        return key

    def _path(self, since: int, kid: str) -> Path:
        return self._directory / f"{since}-{kid}.pem"

    def _unusable(self, error: Exception) -> RegistryError:
        return RegistryError(
            f"the signing keys in {self._directory} cannot be used",
            not_done="no token can be issued",
            remedy="check that the directory may be read and written by this user; move a damaged key away",
            detail=str(error),
        )


def _key(private: rsa.RSAPrivateKey, since: int) -> _Key:
    public = public_jwk(private.public_key(), "RS256")
    return _Key(str(public["kid"]), since, private, public)
