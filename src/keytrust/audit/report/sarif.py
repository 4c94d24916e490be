"""Findings as SARIF 2.1.0 (OASIS), for the systems that collect security findings."""

from __future__ import annotations

import json
from typing import IO, Any

from keytrust import __version__
from keytrust.audit.catalogue import CATALOGUE
from keytrust.audit.model import Code, Finding, Severity
from keytrust.audit.report.result import Result

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning"}
_SCORES = {
    **{Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.0"},
    **{Severity.LOW: "2.0", Severity.INFO: "0.0"},
}
_CODES = list(CATALOGUE)


def write(result: Result, out: IO[str]) -> None:
    """One SARIF log with one run."""
    driver = {"name": "keytrust", "version": __version__, "rules": [_rule(code) for code in _CODES]}
    out.write(f'{{"$schema": "{_SCHEMA}", "version": "2.1.0", "runs": [{{\n')
    out.write(f'"tool": {json.dumps({"driver": driver})},\n"results": [')
    for number, finding in enumerate(result.findings):
        out.write(("," if number else "") + "\n" + json.dumps(_result(finding)))
    out.write("\n]}]}\n")


def _rule(code: Code) -> dict[str, Any]:
    entry = CATALOGUE[code]
    return {
        "id": code.value,
        "name": "".join(word.capitalize() for word in code.value.split("-")),
        "shortDescription": {"text": entry.title},
        "fullDescription": {"text": entry.meaning},
        "help": {"text": entry.remedy},
        "defaultConfiguration": {"level": _LEVELS.get(entry.severity, "note")},
        "properties": {"security-severity": _SCORES[entry.severity], "tags": ["security"]},
    }


def _result(finding: Finding) -> dict[str, Any]:
    location = {"name": finding.account, "fullyQualifiedName": finding.dn or finding.sid, "kind": "resource"}
    found: dict[str, Any] = {
        "ruleId": finding.code.value,
        "ruleIndex": _CODES.index(finding.code),
        "level": _LEVELS.get(finding.severity, "note"),
        "message": {"text": f"{finding.account}: {finding.message}" if finding.account else finding.message},
        "partialFingerprints": {"keytrust/v1": finding.fingerprint},
        "properties": {
            "severity": finding.severity.value,
            "privileged": finding.privileged,
            "sid": finding.sid,
            "keyId": finding.key_id,
            **finding.evidence,
        },
    }
    if finding.account:
        found["locations"] = [{"logicalLocations": [location]}]
    return found
