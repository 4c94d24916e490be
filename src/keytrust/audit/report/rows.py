"""Findings as JSON and as CSV."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from typing import IO, Any

from keytrust.audit.catalogue import CATALOGUE
from keytrust.audit.model import Finding
from keytrust.audit.report.result import Result
from keytrust.visible import visible

CSV_COLUMNS = (
    *("severity", "finding", "title", "account", "dn", "sid", "guid", "privileged", "key_id", "message"),
    *("what_to_do", "fingerprint"),
)
_FORMULA = ("=", "+", "-", "@")


def write_json(result: Result, out: IO[str]) -> None:
    """One JSON document, its findings one on a line, worst first."""
    head = json.dumps(summary(result), indent=1, default=str)
    out.write(head.removesuffix("\n}") + ',\n "findings": [')
    for number, finding in enumerate(result.findings):
        out.write(("," if number else "") + "\n  " + json.dumps(finding_json(finding)))
    out.write("\n ]\n}\n")


def summary(result: Result) -> dict[str, Any]:
    """What was audited and seen, and how much was found."""
    return {
        "scope": asdict(result.scope),
        "notChecked": result.not_checked(),
        "census": result.outcome.census.numbers(),
        "accountsWithKnownWriters": result.outcome.descriptors,
        "acceptedByBaseline": result.findings.accepted,
        "bySeverity": {severity.value: number for severity, number in result.findings.severities.items() if number},
        "byFinding": {code.value: number for code, number in result.findings.counts.most_common()},
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding with its meaning."""
    entry = CATALOGUE[finding.code]
    return {
        "finding": finding.code.value,
        "severity": finding.severity.value,
        "title": entry.title,
        "account": finding.account,
        "dn": finding.dn,
        "sid": finding.sid,
        "guid": finding.guid,
        "privileged": finding.privileged,
        "keyId": finding.key_id,
        "message": finding.message,
        "evidence": finding.evidence,
        "meaning": entry.meaning,
        "whatToDo": entry.remedy,
        "fingerprint": finding.fingerprint,
    }


def write_csv(result: Result, out: IO[str]) -> None:
    """One finding on a line (RFC 4180), its texts as ``harmless`` makes them."""
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for finding in result.findings:
        entry = CATALOGUE[finding.code]
        cells = (
            *(finding.severity, finding.code, entry.title, finding.account, finding.dn, finding.sid, finding.guid),
            *(str(finding.privileged).lower(), finding.key_id, finding.message, entry.remedy, finding.fingerprint),
        )
        writer.writerow([harmless(str(cell)) for cell in cells])


def harmless(cell: str) -> str:
    """A text for a terminal and a spreadsheet: invisible characters spelt out, and an apostrophe before a formula."""
    text = visible(cell)
    return "'" + text if text.startswith(_FORMULA) else text
