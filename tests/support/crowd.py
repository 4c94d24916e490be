"""Many users with a registered key each, made quickly: nobody holds the private halves, and nobody needs them."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from hashlib import shake_256
from uuid import UUID

from tests.support.site import Site

from keytrust.credential import to_rsa1
from keytrust.directory.account import Account

_SMALL_PRIMES = [n for n in range(3, 2000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]


def material(seed: bytes) -> bytes:
    """An RSA1 blob with a modulus of full length and no small factors."""
    modulus = int.from_bytes(shake_256(seed).digest(256), "big") | 1 << 2047 | 1
    while any(modulus % prime == 0 for prime in _SMALL_PRIMES):
        modulus += 2
    return to_rsa1(modulus, 65537)


def register_all(site: Site, accounts: Iterable[Account]) -> None:
    """Register one key for each account at the site's key source."""
    for account in accounts:
        user = site.cloud_user(account)
        user["deviceKeys"] = [
            {
                "deviceId": str(UUID(bytes=account.guid)),
                "keyMaterial": base64.b64encode(material(account.guid)).decode(),
                "keyType": "NGC",
            }
        ]
        site.users[account.name] = user
    site.save()
