"""Findings, any number of them in bounded memory: a million orphaned keys are a million findings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import asdict
from tempfile import SpooledTemporaryFile, gettempdir
from types import TracebackType

from keytrust.audit.errors import AuditError
from keytrust.audit.model import Code, Finding, Severity

_IN_MEMORY = 8 << 20
_MAX_TEXT = 4096


class Findings:
    """An append-only collection, read worst first. A context manager: what does not fit in memory is on disk.

    Attributes:
        counts: How many of each kind.
        severities: How many of each severity.
        accepted: How many were left out because the baseline accepts them.
    """

    def __init__(self, accepted: Container[str] = ()) -> None:
        """``accepted`` holds the fingerprints of a baseline."""
        self.counts: Counter[Code] = Counter()
        self.severities: Counter[Severity] = Counter()
        self.accepted = 0
        self._accepted = accepted
        # Closed in __exit__.
        self._files = {severity: SpooledTemporaryFile(_IN_MEMORY) for severity in Severity}  # noqa: SIM115

    def __enter__(self) -> Findings:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()

    def __len__(self) -> int:
        return sum(self.counts.values())

    def add(self, finding: Finding) -> None:
        """Keep a finding, unless the baseline accepts it."""
        if finding.fingerprint in self._accepted:
            self.accepted += 1
            return
        self.counts[finding.code] += 1
        self.severities[finding.severity] += 1
        self._write(finding)

    def _write(self, finding: Finding) -> None:
        row = {name: value[:_MAX_TEXT] if isinstance(value, str) else value for name, value in asdict(finding).items()}
        try:
            self._files[finding.severity].write(json.dumps(row).encode("ascii") + b"\n")
        except OSError as error:
            raise AuditError(
                f"{len(self):,} findings do not fit in {gettempdir()}: {error.strerror}.",
                not_done="The audit was given up.",
                remedy="Name a directory with more room in TMPDIR.",
            ) from error

    def __iter__(self) -> Iterator[Finding]:
        """Worst first, and of one severity in the order in which they were found."""
        for severity, file in self._files.items():
            position = 0
            while True:
                file.seek(position)
                line = file.readline()
                if not line:
                    break
                position = file.tell()
                row = json.loads(line)
                yield Finding(**row | {"code": Code(row["code"]), "severity": severity})
            file.seek(0, 2)

    def worst(self) -> Severity | None:
        """The worst severity found; None when nothing was."""
        return next((severity for severity in Severity if self.severities[severity]), None)
