"""Dumps as other tools write them, and as nobody should."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from audit_world import audit, subject
from tests.support.world import value

from keytrust.audit.dn import same_object
from keytrust.audit.errors import AuditError
from keytrust.audit.ldif import text
from keytrust.audit.ldif.records import MAX_VALUES, Damage, Record, records
from keytrust.audit.model import Code

ENTRY = b"dn: CN=a,DC=x\nobjectClass: user\nsAMAccountName: a\n"


def entries(dump: bytes) -> list[Record]:
    return [record for record in records(dump) if isinstance(record, Record)]


def damages(dump: bytes) -> list[Damage]:
    return [record for record in records(dump) if isinstance(record, Damage)]


def test_openldap_form_with_comments_base64_folds_and_a_summary() -> None:
    dump = (
        b"# extended LDIF\n#\n# a comment that is\n  folded\n\n# a, x\ndn:: Q049YSxEQz14\nobjectClass: top\n"
        b"objectClass: user\nobjectGUID:: AAECAwQFBgcICQoLDA0ODw==\nmsDS-KeyCredentialLink: B:4:00\n 02:CN=\n a,DC=x\n"
        b"\n# search result\nsearch: 2\nresult: 0 Success\n\n# numEntries: 1\n"
    )
    (entry,) = entries(dump)
    assert not damages(dump)
    assert entry.dn == "CN=a,DC=x"
    assert entry.entry["msds-keycredentiallink"] == [b"B:4:0002:CN=a,DC=x"]
    assert entry.entry["objectguid"] == [bytes(range(16))]


def test_ldifde_form_with_change_records_and_crlf() -> None:
    dump = ENTRY.replace(b"\n", b"\r\n", 1).replace(b"\n", b"\r\n").replace(b"\r\r", b"\r")
    dump = dump.replace(b"objectClass", b"changetype: add\r\nobjectClass")
    (entry,) = entries(dump + b"\r\n" + b"dn: CN=b,DC=x\r\nchangetype: add\r\nadminCount: 1\r\n\r\n")[:1]
    assert entry.entry == {"objectclass": [b"user"], "samaccountname": [b"a"]}
    assert not damages(dump)


def test_names_in_any_case_with_options() -> None:
    (entry,) = entries(b"DN: CN=a\nMSDS-KEYCREDENTIALLINK;binary:: eA==\nmsDS-KeyCredentialLink;range=0-*: y\n")
    assert entry.entry["msds-keycredentiallink"] == [b"x", b"y"]
    assert not entry.partial


@pytest.mark.parametrize("option", ["range=0-1499", "range=1500-*", "RANGE=0-0"])
def test_a_range_that_is_not_all_is_partial(option: str) -> None:
    (entry,) = entries(f"dn: CN=a\nmsDS-KeyCredentialLink;{option}: x\n".encode())
    assert entry.partial


@pytest.mark.parametrize(
    ("dump", "what"),
    [
        (b"dn: CN=a\nobjectSid:: !!!!\n", "broken base64"),
        (b"dn:: !\nsAMAccountName: a\n", "broken base64"),
        (b"dn: CN=a\nno colon here\n", "without a colon"),
        (b"sAMAccountName: a\n", "belongs to no record"),
        (b"dn: CN=a\nchangetype: delete\n", "change record"),
        (b"dn: CN=a\nobjectGUID:< file:///etc/passwd\n", "not followed"),
        (b"dn: \xff\xfe\n", "not UTF-8"),
        (b"\x00\x01\x02binary", "without a colon"),
    ],
)
def test_damage_is_told_and_the_next_record_is_read(dump: bytes, what: str) -> None:
    (damage,) = damages(dump + b"\n\n" + ENTRY)
    assert what in damage.what
    assert entries(dump + b"\n\n" + ENTRY)[-1].dn == "CN=a,DC=x"


class TestPieces:
    @pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
    @pytest.mark.parametrize("size", [1, 7, 64, 1000])
    def test_wherever_a_dump_is_cut_every_record_comes_once(self, tmp_path: Path, newline: bytes, size: int) -> None:
        lines = b"".join(b"dn: CN=user %d,\n  DC=x\ncn: %d\n\n" % (n, n) for n in range(40))
        path = tmp_path / "dump.ldif"
        path.write_bytes(b"\xef\xbb\xbfversion: 1\n\n".replace(b"\n", newline) + lines.replace(b"\n", newline))
        found = [r for piece in text.pieces(path, size) for r in records(piece.read())]
        assert [r.dn for r in found] == [f"CN=user {n}, DC=x" for n in range(40)]

    def test_an_endless_record_is_one_clear_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text, "MAX_RECORD", 1 << 20)
        path = tmp_path / "dump.ldif"
        path.write_bytes(b"dn: CN=" + b"a" * (3 << 20))
        with pytest.raises(AuditError, match="record of more than 1 MiB"):
            list(text.pieces(path, 1 << 16))

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf16_is_read_and_leaves_no_copy_behind(self, tmp_path: Path, encoding: str) -> None:
        path = tmp_path / "dump.ldif"
        path.write_bytes(("\ufeff" + "dn: CN=Zoë\nsAMAccountName: zoë\n").encode(encoding))
        with text.on_disk(path) as copy:
            (piece,) = text.pieces(copy)
            (entry,) = entries(piece.read())
            assert entry.dn == "CN=Zoë"
        assert not copy.exists()

    def test_a_missing_file_and_half_a_character_are_clear_errors(self, tmp_path: Path) -> None:
        with pytest.raises(AuditError, match="cannot be read"), text.on_disk(tmp_path / "none"):
            pass
        (tmp_path / "half").write_bytes(b"\xff\xfea")
        with pytest.raises(AuditError, match="UTF-16"), text.on_disk(tmp_path / "half"):
            pass


def test_base64_of_empty_is_empty() -> None:
    (entry,) = entries(b"dn: CN=a\nsAMAccountName::\nuserPrincipalName: " + base64.b64encode(b"x") + b"\n")
    assert entry.entry["samaccountname"] == [b""]


class TestHostile:
    """Bounded work and memory whatever a dump holds; bench ``hostile`` measures it on large ones."""

    def test_the_values_of_one_record_are_bounded_and_that_is_told(self) -> None:
        values = b"msDS-KeyCredentialLink: B:2:00:CN=a\n" * (MAX_VALUES + 5)
        (record,) = records(b"dn: CN=a\n" + values)
        assert isinstance(record, Record)
        assert len(record.entry["msds-keycredentiallink"]) == MAX_VALUES
        assert record.partial

    def test_a_long_record_is_read_as_a_short_one_is(self) -> None:
        long = b"dn: CN=a\nobjectClass: user\n" + b"x: y\n" * 300_000 + b"sAMAccountName:: YQ==\n"
        assert list(records(long)) == [Record("CN=a", {"objectclass": [b"user"], "samaccountname": [b"a"]}, False)]

    @pytest.mark.parametrize("filling", [" ", " =", "<GUID=", "\\2c", "<GUID=x>;", "\\"])
    def test_a_dn_of_64_kib_of_anything_is_compared_at_once(self, filling: str) -> None:
        # With a backtracking pattern the spaces alone took three quarters of a minute.
        assert not same_object(filling * (60_000 // len(filling)), "CN=a")

    def test_a_key_on_very_many_accounts_is_one_finding_with_some_of_them(self) -> None:
        accounts = [(subject(f"u{n}", privileged=n == 90), [value(f"u{n}", 1)]) for n in range(100)]
        (finding,) = [f for f in audit(*accounts) if f.code is Code.SHARED_KEY]
        assert finding.account == "u90"
        assert "on 100 accounts" in finding.message
        assert finding.evidence["accounts"].count("CN=") == 50
