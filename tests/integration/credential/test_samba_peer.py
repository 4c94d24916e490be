"""Our key credentials against Samba's own Python, inside the lab's tree: an implementation that nobody here wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from keytrust.cli.decode import parse
from keytrust.credential import Dialect, EntryId, KeyCredential, KeySource, build, rsa1_from_key
from keytrust.lab import Lab

pytestmark = pytest.mark.lab

_READ = """
import json, sys
from samba.dcerpc import keycredlink
from samba.ndr import ndr_unpack
def plain(entry):
    value = entry.value
    if isinstance(value, int):
        return value.to_bytes(entry.length, "little").hex()
    if isinstance(value, (bytes, list)):
        return bytes(value).hex()
    return bytes([value.version, value.flags]).hex()
told = []
for text in json.load(sys.stdin):
    raw = bytes.fromhex(text)
    try:
        blob = ndr_unpack(keycredlink.KEYCREDENTIALLINK_BLOB, raw)
    except Exception as error:
        told.append({"error": str(error)})
        continue
    told.append({
        "version": blob.version,
        "entries": [[entry.identifier, plain(entry)] for entry in blob.entries],
    })
print(json.dumps(told))
"""

_MAKE = """
import json, sys
from samba.dcerpc import keycredlink
from samba.key_credential_link import create_key_credential_link
from samba.ndr import ndr_pack
from samba.samdb import SamDB
from samba.param import LoadParm
from samba.auth import system_session
lp = LoadParm()
lp.load_default()
samdb = SamDB(url=lp.samdb_url(), session_info=system_session(lp), lp=lp)
pem = sys.stdin.read().encode()
link = create_key_credential_link(samdb, samdb.domain_dn(), pem, "PEM", True)
print(str(link))
"""

KEY = generate_private_key(65537, 2048)
MATERIAL = rsa1_from_key(KEY.public_key())


def ours(dialect: Dialect, **fields: int) -> KeyCredential:
    return build(
        MATERIAL, device_id=UUID(int=7), created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), dialect=dialect, **fields
    )


def test_samba_reads_every_entry_of_what_we_build(lab: Lab) -> None:
    built = [ours(Dialect.PORTABLE), ours(Dialect.PORTABLE, source=KeySource.AD)]
    done = lab.run(["python3", "-c", _READ], input=json.dumps([each.to_bytes().hex() for each in built]))
    for credential, told in zip(built, json.loads(done.stdout), strict=True):
        assert told["version"] == credential.version
        assert told["entries"] == [[number, value.hex()] for number, value in credential.entries]


def test_samba_still_cannot_read_the_custom_key_information_of_entra_connect(lab: Lab) -> None:
    """The reason for the portable dialect; when this fails, Samba has learnt it and the dialect can be reconsidered."""
    built = ours(Dialect.ENTRA)
    (told,) = json.loads(lab.run(["python3", "-c", _READ], input=json.dumps([built.to_bytes().hex()])).stdout)
    assert "error" in told


def test_we_read_what_samba_builds(lab: Lab) -> None:
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = lab.run(["python3", "-c", _MAKE], input=pem.decode()).stdout.strip()

    credential, dn = parse(text)
    assert dn == lab.spec.base_dn
    assert credential.is_intact()
    assert credential.value(EntryId.KEY_MATERIAL) is not None
