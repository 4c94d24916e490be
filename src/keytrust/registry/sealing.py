"""Secrets that must be kept readable, such as those of second factors: encrypted in the database, the key beside it.

A copy of the database alone, such as a backup, gives nothing away. AES-256-GCM, bound to whose secret it is, so that
one row's cannot be put into another.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keytrust.errors import RegistryError

_FILE = "sealing.key"
_NONCE = 12


class Sealer:
    """Seals and opens secrets by the key in a private directory; the key is made the first time.

    Args:
        directory: Where the key lives (mode 0600); it is the one of the signing keys.

    Raises:
        RegistryError: the key cannot be read or made.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / _FILE
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                _create(path)
            self._cipher = AESGCM(path.read_bytes())
        except (OSError, ValueError) as error:
            raise RegistryError(
                f"the key {path} for the secrets of second factors cannot be used",
                not_done="nobody can prove a second factor",
                remedy="check that it may be read by this user; if it is damaged, put it back from a backup",
                detail=str(error),
            ) from error

    def __repr__(self) -> str:
        return "Sealer()"

    def seal(self, secret: bytes, owner: str) -> bytes:
        """What to store of a secret of ``owner``."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """The secret.

        Raises:
            RegistryError: it was sealed by another key or for another owner, or was altered.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], owner.encode())
        except (InvalidTag, ValueError) as error:
            raise RegistryError(
                f"the stored second factor of {owner} cannot be opened",
                not_done="they cannot sign in",
                remedy="put back the sealing.key that belongs to this database, or enrol them again",
            ) from error


def _create(path: Path) -> None:
    """A new key, whole and private from the moment it has its name; of two who make one at once the first wins."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(AESGCM.generate_key(bit_length=256))
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:  # made by an administrator, to be read by the service whose directory it is
            owner = path.parent.stat()
            os.chown(name, owner.st_uid, owner.st_gid)
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
