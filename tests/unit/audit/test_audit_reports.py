"""What comes out: complete, in the documented columns, and harmless whatever a directory holds."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from audit_world import PLANTED, VECTORS, devices, planted, subject, vector
from tests.support.world import NOW, cloud_user, dn, key, value

from keytrust.audit import baseline
from keytrust.audit.auditor import Auditor
from keytrust.audit.errors import AuditError
from keytrust.audit.inspect import inspect
from keytrust.audit.model import Code, Scope, Subject
from keytrust.audit.report import WRITERS, Format, Result
from keytrust.audit.report.whfbtools import CLOUD_COLUMNS, AdRows, Rows, cloud_rows, counters
from keytrust.audit.rules import Context
from keytrust.audit.run import Outcome
from keytrust.audit.spool import Findings

HOSTILE = '"><script>alert(1)</script><img src=//evil.example/x onerror=alert(2)>\u202e\u061c\U000e0041\x1b[2J\x9b'
INVISIBLE = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u202e\U000e0041]|\r(?!\n)")
"""Beside the ends of lines, what no form of report may hold."""


@contextmanager
def result_of(*accounts: tuple[Subject, list[bytes]]) -> Iterator[Result]:
    with Findings() as findings:
        auditor = Auditor(Context(int(NOW.timestamp())), findings)
        for who, values in accounts:
            auditor.take(who, [inspect(raw, who.dn) for raw in values])
        auditor.finish()
        yield Result(Scope(HOSTILE, "", "", datetime(2026, 1, 2, tzinfo=UTC)), findings, Outcome(auditor.census, "", 0))


def hostile() -> tuple[Subject, list[bytes]]:
    who = subject("x", name=HOSTILE, dn=f"CN={HOSTILE}", upn=HOSTILE)
    return who, [b"<b>garbage</b>", planted(PLANTED["bloodyAD 2.5.7 (badldap builder)"], "x"), value("x", 1)]


def written(form: Format, *accounts: tuple[Subject, list[bytes]]) -> str:
    out = io.StringIO(newline="")
    with result_of(*accounts) as result:
        WRITERS[form](result, out)
    return out.getvalue()


@pytest.mark.parametrize("form", WRITERS)
def test_no_report_steers_the_terminal_that_shows_it(form: Format) -> None:
    text = written(form, hostile(), (subject("y", name="a\nb\rc\0d\te", dn="CN=a\nb"), [b"garbage"]))
    assert "alert(1)" in text
    assert not INVISIBLE.search(text)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


class TestHtml:
    def test_a_hostile_name_is_text_and_nothing_is_fetched(self) -> None:
        page = written(Format.HTML, hostile())
        tags = _Tags()
        tags.feed(page)
        assert not tags.tags & {"script", "img", "link", "iframe", "object", "a", "base", "form"}
        assert not any(name.startswith("on") or name in {"src", "href"} for name in tags.attributes)
        assert "&lt;script&gt;alert(1)" in page
        assert "default-src 'none'" in page

    def test_every_finding_is_on_the_page(self) -> None:
        page = written(Format.HTML, hostile())
        for title in ("Unreadable value", "Mark of a planting tool", "Value names another object", "Not checked"):
            assert title in page

    def test_an_audit_that_found_nothing_says_so(self) -> None:
        assert "Nothing was found." in written(Format.HTML, (subject("a"), []))

    def test_a_flood_is_a_page_with_the_whole_number(self) -> None:
        page = written(Format.HTML, *((subject(f"u{n}"), [b"garbage"]) for n in range(5000)))
        assert "4,900 more" in page
        assert len(page) < 200_000


def test_json_has_every_finding_with_its_meaning() -> None:
    document = json.loads(written(Format.JSON, hostile()))
    assert {f["finding"] for f in document["findings"]} >= {"unreadable-value", "mark-of-a-planting-tool"}
    assert all(f["meaning"] and f["whatToDo"] and f["fingerprint"] for f in document["findings"])
    assert document["census"]["values"] == 3
    assert sum(document["byFinding"].values()) == len(document["findings"])
    assert document["notChecked"]


def test_json_of_nothing_is_json() -> None:
    assert json.loads(written(Format.JSON))["findings"] == []


def test_sarif_has_what_collectors_need() -> None:
    run = json.loads(written(Format.SARIF, hostile()))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert {rule["id"] for rule in rules} == {code.value for code in Code}
    for found in run["results"]:
        assert rules[found["ruleIndex"]]["id"] == found["ruleId"]
        assert found["level"] in {"error", "warning", "note"}
        assert found["message"]["text"] and found["partialFingerprints"]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"])
def test_csv_is_no_formula(name: str) -> None:
    rows = list(csv.DictReader(io.StringIO(written(Format.CSV, (subject("x", name=name), [b"garbage"])))))
    assert [row["account"] for row in rows] == ["'" + name]
    assert rows[0]["finding"] == "unreadable-value"


class TestWhfbTools:
    def test_the_columns_and_a_published_value(self) -> None:
        rows = AdRows(lambda: False)
        with Findings() as findings:
            auditor = Auditor(Context(int(NOW.timestamp())), findings, rows)
            stored = [vector("UserKey1", "alice"), vector("UserKeyFIDO0", "alice"), b"garbage"]
            auditor.take(subject("alice"), [inspect(raw, dn("alice"), keep_raw=True) for raw in stored])
        out = io.StringIO(newline="")
        rows.write(out)
        (row,) = csv.DictReader(io.StringIO(out.getvalue()))
        assert row["UserDomain"] == "corp.example"
        assert (row["UserSamAccountName"], row["UserDistinguishedName"]) == ("alice", dn("alice"))
        assert (row["KeyVersion"], row["KeySource"], row["KeyUsage"]) == ("2", "AD", "NGC")
        assert row["KeyId"] == "IHF64FL8z1RqrQ1R6Hiq1pzgT9w59ajY4866a8tNoOc="
        assert row["KeyDeviceId"] == "47f577e3-d2d0-4a0a-8aca-e0501098bde4"
        assert row["KeyCreationTime"].startswith("2018-06-13T22:32:38.")
        assert (row["ROCAVulnerable"], row["OrphanedKey"]) == ("False", "Not checked")
        assert row["KeyRawLDAPValue"] == f"B:{len(VECTORS['UserKey1'])}:{VECTORS['UserKey1']}:{dn('alice')}"
        assert counters(auditor.census, orphans_known=False) == [
            "Users scanned: 1",
            "Users with WHfB keys: 1",
            "Total WHfB Keys: 1",
            "Total ROCA vulnerable keys: 0",
        ]

    def test_a_name_is_no_formula_and_steers_no_terminal(self) -> None:
        rows = AdRows(lambda: False)
        who = subject("x", name="=cmd|' /C calc'!A0", dn="CN=\u202e\x1b[2J,DC=x")
        with Findings() as findings:
            raw = vector("UserKey1", "x").replace(dn("x").encode(), who.dn.encode())
            Auditor(Context(int(NOW.timestamp())), findings, rows).take(who, [inspect(raw, who.dn, keep_raw=True)])
        out = io.StringIO(newline="")
        rows.write(out)
        (row,) = csv.DictReader(io.StringIO(out.getvalue()))
        assert row["UserSamAccountName"] == "'=cmd|' /C calc'!A0"
        assert row["UserDistinguishedName"] == row["KeyLinkTargetDN"] == r"CN=\u202e\u001b[2J,DC=x"
        assert not INVISIBLE.search(out.getvalue())

    def test_the_columns_for_the_cloud(self) -> None:
        rows = Rows(CLOUD_COLUMNS)
        users = [cloud_user("alice", (key(1), key(2, key_type="FIDO")))]
        assert list(cloud_rows(users, rows, devices())) == users
        out = io.StringIO(newline="")
        rows.write(out)
        (row,) = csv.DictReader(io.StringIO(out.getvalue()))
        assert list(row) == list(CLOUD_COLUMNS)
        assert (row["userPrincipalName"], row["Tenant"], row["Usage"]) == ("alice@corp.example", "corp.example", "NGC")
        assert (row["CreationTime"], row["Orphaned"]) == ("2026-01-02T03:04:05.0000000Z", "True")


class TestBaselineFile:
    def test_what_was_accepted_is_accepted_when_read_back(self, tmp_path: Path) -> None:
        path = tmp_path / "baseline"
        with result_of(hostile()) as result:
            assert baseline.save(path, result.findings) == len(result.findings)
            assert baseline.load(path) == {finding.fingerprint for finding in result.findings}

    @pytest.mark.parametrize("text", ["", "nothing", "# keytrust audit baseline 1\nzz\n", "\xff"])
    def test_anything_else_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "baseline").write_text(text, encoding="latin-1")
        with pytest.raises(AuditError, match="baseline"):
            baseline.load(tmp_path / "baseline")

    def test_a_baseline_that_cannot_be_written_leaves_the_former(self, tmp_path: Path) -> None:
        with result_of(hostile()) as result, pytest.raises(AuditError, match="cannot be written"):
            baseline.save(tmp_path / "none" / "baseline", result.findings)


def test_orphaned_keys_that_were_not_looked_for_are_not_said_to_be_none() -> None:
    assert "<b>not checked</b><span>orphaned keys</span>" in written(Format.HTML, hostile())
