"""One run of MIT's kinit by PKINIT, in a private directory that is removed afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keytrust.errors import SigninError
from keytrust.private_folder import private_folder
from keytrust.signin.certificate import Chain

_MOST_BYTES = 1_000_000

# Only PKINIT: neither a password nor anything else may take the place of the proof.
_OVERLAY = """\
include {config}

[plugins]
    clpreauth = {{
        enable_only = pkinit
    }}
"""


@dataclass(frozen=True)
class KinitRun:
    """What one run left.

    Attributes:
        status: Exit status; None when it was killed for being too slow.
        said: What it wrote.
        trace: Its ``KRB5_TRACE``.
        cache: The credential cache, when it made one.
        milliseconds: From its start to its end.
    """

    status: int | None
    said: str
    trace: str
    cache: bytes | None
    milliseconds: float


def run_kinit(
    principal: str,
    *,
    enterprise: bool,
    key: RSAPrivateKey,
    chain: Chain,
    kdc_ca: bytes,
    krb5_config: Path,
    timeout: float,
) -> KinitRun:
    """Run kinit once.

    Args:
        principal: Kerberos principal, or with ``enterprise`` a user principal name.
        enterprise: Whether the domain shall look up the name as a user principal name (RFC 6806 section 5).
        key: The user's private key.
        chain: Certificates made for it.
        kdc_ca: PEM certificates of the authorities that may sign the KDC's.
        krb5_config: Kerberos configuration; what is in it stays in force.
        timeout: Seconds until kinit is killed.

    Raises:
        SigninError: kinit is not installed, or there is no room for its files.
    """
    try:
        with private_folder("signin") as place:
            _write(place / "user.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            _write(place / "chain.pem", chain.leaf + chain.issuer)
            _write(place / "anchors.pem", kdc_ca + b"\n" + chain.issuer)
            _write(place / "krb5.conf", _OVERLAY.format(config=krb5_config).encode())
            command = [
                "kinit",
                *(["-E", "-C"] if enterprise else []),
                *("-c", f"FILE:{place}/cache"),
                *("-X", f"X509_anchors=FILE:{place}/anchors.pem"),
                *("-X", f"X509_user_identity=FILE:{place}/chain.pem,{place}/user.key"),
                "--",
                principal,
            ]
            began = time.monotonic()
            status, said = _run(command, place, timeout)
            milliseconds = (time.monotonic() - began) * 1000
            trace = (_read(place / "trace") or b"").decode("utf-8", "replace")
            return KinitRun(status, said, trace, _read(place / "cache"), milliseconds)
    except OSError as error:
        raise SigninError(
            f"The sign-in could not be prepared: {error.strerror}.",
            not_done="No sign-in was attempted.",
            remedy="Make room in the directory for temporary files.",
            detail=str(error),
        ) from error


def _run(command: Sequence[str], place: Path, timeout: float) -> tuple[int | None, str]:
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LC_ALL": "C",  # the diagnosis reads what it says
        "HOME": str(place),
        "KRB5_CONFIG": str(place / "krb5.conf"),
        "KRB5_TRACE": str(place / "trace"),
    }
    try:
        # In a session of its own it has no terminal to ask for a password on, and its standard input is empty.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise SigninError(
            "The program kinit is not installed.",
            not_done="No sign-in was attempted.",
            remedy="Install the packages krb5-user and krb5-pkinit.",
        ) from error
    with process:
        try:
            said, _ = process.communicate(timeout=timeout)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return None, f"kinit got no answer within {timeout:g} s"
    return process.returncode, said[:_MOST_BYTES].decode("utf-8", "replace").strip()


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None
