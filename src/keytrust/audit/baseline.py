"""Baselines: findings that somebody looked at and accepted, so that the next audit shows what is new."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from tempfile import NamedTemporaryFile

from keytrust.audit.errors import AuditError
from keytrust.audit.spool import Findings

_HEADER = "keytrust audit baseline 1"
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")
_MAX_BYTES = 1 << 30


def load(path: Path) -> frozenset[str]:
    """The accepted fingerprints.

    Raises:
        AuditError: the file cannot be read or is no baseline.
    """
    accepted = set()
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _damaged(path, "it is too large")
        with path.open(encoding="utf-8") as file:
            if file.readline().strip() != f"# {_HEADER}":
                raise _damaged(path, "it does not begin as one")
            for number, line in enumerate(file, 2):
                text = line.split("#", 1)[0].strip()
                if text and not _FINGERPRINT.fullmatch(text):
                    raise _damaged(path, f"line {number} has no fingerprint")
                accepted.add(text)
    except OSError as error:
        raise AuditError(f"The baseline {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise _damaged(path, "it is not text") from error
    return frozenset(accepted - {""})


def save(path: Path, findings: Findings, accepted: frozenset[str] = frozenset()) -> int:
    """Accept everything that was found, beside what was accepted before; returns how many that are.

    Each line tells in a comment what it accepts, so that a baseline can be reviewed and shortened by hand.

    Raises:
        AuditError: the file cannot be written; a former one is then as it was.
    """
    number = len(accepted)
    try:
        with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8") as file:
            try:
                file.write(f"# {_HEADER}\n")
                file.writelines(f"{fingerprint}\n" for fingerprint in sorted(accepted))
                for finding in findings:
                    what = json.dumps(f"{finding.severity} {finding.code} {finding.account}: {finding.message}"[:300])
                    file.write(f"{finding.fingerprint}  # {what}\n")
                    number += 1
                file.close()
                Path(file.name).chmod(0o666 & ~_umask())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise AuditError(f"The baseline {path} cannot be written: {error.strerror}.") from error
    return number


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _damaged(path: Path, why: str) -> AuditError:
    return AuditError(
        f"The file {path} is no baseline: {why}.",
        not_done="Nothing was audited.",
        remedy="Make one with keytrust audit --write-baseline FILE.",
    )
