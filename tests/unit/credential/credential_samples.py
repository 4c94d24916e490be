"""Values that several tests of the key credential format start from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from keytrust.credential import KeyCredential, to_rsa1

_FILE = Path(__file__).parents[2] / "data" / "key_credentials.json"

VECTORS: dict[str, bytes] = {
    name: bytes.fromhex(text) for name, text in json.loads(_FILE.read_text(encoding="utf-8"))["vectors"].items()
}
"""Published key credentials, the five kinds that real directories held (DSInternals test suite, MIT licence)."""

# A modulus of the right shape for what does not depend on its being a product of two primes.
MODULUS = int.from_bytes(b"\xc1" + sha256(b"modulus").digest() * 7 + b"\x55" * 31, "big")
MATERIAL = to_rsa1(MODULUS, 65537)
DEVICE = UUID("47f577e3-d2d0-4a0a-8aca-e0501098bde4")
CREATED = datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=UTC)
DN = "CN=Alice Example,OU=Users,DC=example,DC=com"


def entries_with_hash(entries: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Put a correct KeyID and KeyHash before ``entries``, which must hold the key material."""
    rest = KeyCredential.from_entries(entries).to_bytes()[4:]
    material = next(value for identifier, value in entries if identifier == 3)
    return [(1, sha256(material).digest()), (2, sha256(rest).digest()), *entries]
