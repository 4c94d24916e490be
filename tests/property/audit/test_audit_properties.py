"""Whatever bytes a dump or a value holds, the audit ends in findings or one clear error."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.support.world import dn, value

from keytrust.audit.auditor import Auditor
from keytrust.audit.errors import AuditError
from keytrust.audit.inspect import inspect
from keytrust.audit.ldif import text
from keytrust.audit.ldif.dump import open_dump
from keytrust.audit.ldif.records import Record, records
from keytrust.audit.model import AccountKind, Subject, Vendor
from keytrust.audit.rules import Context
from keytrust.audit.run import audit_dump
from keytrust.audit.spool import Findings

LINES = st.sampled_from(
    [
        *(b"dn: CN=a,DC=x", b"dn:: Q049YQ==", b"changetype: add", b"changetype: modify", b"-", b"version: 1"),
        *(b"objectClass: user", b"objectClass: computer", b"adminCount: 1", b"msDS-KeyCredentialLink: B:2:00:CN=a"),
        *(b"msDS-KeyCredentialLink;range=0-1:: !", b" continued", b"", b"", b"#", b"objectSid:: AQUAAA==", b":", b"::"),
        *(b"nTSecurityDescriptor:: AQAEgA==", b"msDS-KeyCredentialLink: " + value("a", 1), b"\r", b"member: CN=b"),
    ]
)


@given(st.lists(LINES | st.binary(max_size=30), max_size=30))
def test_any_lines_are_audited_or_refused(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder, Findings() as findings:
        path = Path(folder) / "dump.ldif"
        path.write_bytes(b"\n".join(lines))
        auditor = Auditor(Context(1_767_000_000, vendor=Vendor.SAMBA), findings)
        try:
            with open_dump(path) as dump:
                audit_dump(dump, "dump", auditor)
        except AuditError as error:
            assert error.message
        assert len(list(findings)) == len(findings)


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 200), st.sampled_from([b"\n", b"\r\n"]))
def test_cutting_a_dump_never_loses_or_doubles_a_record(names: list[bytes], size: int, newline: bytes) -> None:
    clean = [name.hex().encode() or b"none" for name in names]
    dump = b"".join(b"dn: CN=%s%scn: x%s%s" % (name, newline, newline, newline) for name in clean)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dump.ldif"
        path.write_bytes(dump)
        found = [r.dn for p in text.pieces(path, size) for r in records(p.read()) if isinstance(r, Record)]
    assert found == [f"CN={name.decode()}" for name in clean]


@given(st.binary(max_size=600), st.sampled_from(AccountKind), st.booleans())
def test_any_value_is_inspected(binary: bytes, kind: AccountKind, framed: bool) -> None:
    raw = b"B:%d:%s:%s" % (2 * len(binary), binary.hex().encode(), dn("a").encode()) if framed else binary
    with Findings() as findings:
        auditor = Auditor(Context(1_767_000_000, vendor=Vendor.WINDOWS), findings)
        auditor.take(Subject(dn("a"), "a", kind=kind), [inspect(raw, dn("a"))])
        auditor.finish()
        assert auditor.census.values == 1


@given(st.data())
def test_a_damaged_key_credential_is_inspected(data: st.DataObject) -> None:
    _, _, stored, owner = value("a", 1).split(b":", 3)
    digits = bytearray.fromhex(stored.decode())
    for _ in range(data.draw(st.integers(1, 5))):
        digits[data.draw(st.integers(0, len(digits) - 1))] = data.draw(st.integers(0, 255))
    raw = b"B:%d:%s:%s" % (2 * len(digits), digits.hex().encode(), owner)
    assert len(inspect(raw, dn("a")).identity) == 32


@given(
    st.sampled_from([b"sAMAccountName", b"objectGUID", b"msDS-KeyCredentialLink", b"objectClass"]),
    st.sampled_from([b": ", b":: ", b":", b"::", b":< "]),
    st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"").replace(b"\r", b""))
    | st.binary(max_size=20).map(base64.b64encode),
)
def test_the_usual_spelling_of_an_attribute_changes_nothing(name: bytes, colon: bytes, rest: bytes) -> None:
    """Lines in the usual spelling are read in a quicker way than all others."""
    usual, unusual = (list(records(b"dn: CN=a\n" + spelt + colon + rest)) for spelt in (name, name.swapcase()))
    assert [r for r in usual if isinstance(r, Record)] == [r for r in unusual if isinstance(r, Record)]
    assert len(usual) == len(unusual)
