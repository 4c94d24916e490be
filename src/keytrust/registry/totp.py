"""Second factors: time-based one-time codes (RFC 6238), each good once, with a lockout that grows."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from keytrust.registry import audit
from keytrust.registry.database import Database
from keytrust.registry.sealing import Sealer
from keytrust.registry.tables import totp

STEP = 30
"""How long a code is shown, seconds."""
DRIFT = 1
"""How many steps a device's clock may be off, either way."""
FREE_FAILURES = 4
"""Failures in a row before a lockout begins."""

_DIGITS = 6
_SECRET_BYTES = 20  # of SHA-1's length, as RFC 4226 recommends; other hashes are not known to all apps
_FIRST_LOCK = 30
_LONGEST_LOCK = 3600
_FIND = select(totp).where(totp.c.user_id == bindparam("user")).with_for_update()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a code. ``seconds`` is for how long it is locked, 0 if it is not."""

    right: bool
    seconds: int = 0


def enrol(
    database: Database, sealer: Sealer, user_id: str, *, account: str, issuer: str, origin: audit.Origin, replace: bool
) -> str | None:
    """Give a user a new second factor.

    Args:
        database: The registry's database.
        sealer: What the secret is stored by.
        user_id: Whose.
        account: What the app calls the account.
        issuer: What it calls the registry.
        origin: Who asked for it.
        replace: Whether to replace the one they have.

    Returns:
        The ``otpauth:`` URI that an app reads. The secret in it is shown this one time. None if the user has one
        already.
    """
    secret = secrets.token_bytes(_SECRET_BYTES)
    row = {
        "user_id": user_id,
        "secret": sealer.seal(secret, user_id),
        "last_step": 0,
        "failures": 0,
        "locked_until": 0,
        "created": origin.at,
    }
    with database.write() as connection:
        old = connection.execute(_FIND, {"user": user_id}).one_or_none()
        if old is not None and not replace:
            return None
        connection.execute(delete(totp).where(totp.c.user_id == user_id))
        connection.execute(insert(totp), row)
        action = "enrol second factor" if old is None else "replace second factor"
        audit.record(connection, origin, action, user_id=user_id)
    return _totp(secret).get_provisioning_uri(account, issuer)


def remove(database: Database, user_id: str, *, origin: audit.Origin) -> bool:
    """Take a user's second factor away; False if they have none."""
    with database.write() as connection:
        if connection.execute(delete(totp).where(totp.c.user_id == user_id)).rowcount == 0:
            return False
        audit.record(connection, origin, "remove second factor", user_id=user_id)
    return True


def unlock(database: Database, user_id: str, *, origin: audit.Origin) -> bool:
    """End a lockout; False if they have no second factor."""
    with database.write() as connection:
        if not _forgive(connection, user_id):
            return False
        audit.record(connection, origin, "unlock second factor", user_id=user_id)
    return True


def use_code(database: Database, sealer: Sealer, user_id: str, code: str, at: int) -> Verdict:
    """Look at a code, once: it is used up if it is right.

    The try counts as a failure until ``forgive`` is called, which is when the password was right, too. So a password
    cannot be guessed at with one code, and a process that dies between the two forgives nothing.

    Args:
        database: The registry's database.
        sealer: What the secrets are stored by.
        user_id: Whose code.
        code: What was given.
        at: Now, microseconds since 1970.
    """
    now = at // 1_000_000
    with database.write() as connection:
        row = connection.execute(_FIND, {"user": user_id}).one_or_none()
        if row is None:
            _match(b"\0" * _SECRET_BYTES, code, now)  # takes as long
            return Verdict(False)
        if row.locked_until > now:
            return Verdict(False, int(row.locked_until - now))
        step = _match(sealer.open(row.secret, user_id), code, now)
        right = step is not None and step > row.last_step
        failures = row.failures + 1
        changed: dict[str, Any] = {"failures": failures, "locked_until": now + lock_seconds(failures)}
        if right:
            changed["last_step"] = step
        connection.execute(update(totp).where(totp.c.user_id == user_id).values(changed))
        if failures == FREE_FAILURES + 1:
            audit.record(connection, audit.Origin("registry", at), "lock second factor", user_id=user_id)
    return Verdict(right)


def forgive(database: Database, user_id: str) -> None:
    """The whole sign-in was right: forget the failures before it."""
    with database.write() as connection:
        _forgive(connection, user_id)


def lock_seconds(failures: int) -> int:
    """For how long so many failures in a row lock: not at all at first, then twice as long each time, to an hour."""
    over = failures - FREE_FAILURES
    return 0 if over <= 0 else min(_FIRST_LOCK * 2 ** min(over - 1, 20), _LONGEST_LOCK)


def find(connection: Connection, user_id: str) -> Row[Any] | None:
    """A user's second factor as it is stored."""
    return connection.execute(select(totp).where(totp.c.user_id == user_id)).one_or_none()


def _match(secret: bytes, code: str, now: int) -> int | None:
    """The step whose code this is, of those within the drift. Takes equally long whatever is given."""
    generator = _totp(secret)
    given = code.encode("ascii", "replace")
    found = None
    for step in range(now // STEP - DRIFT, now // STEP + DRIFT + 1):
        if hmac.compare_digest(generator.generate(step * STEP), given):
            found = step
    return found


def _forgive(connection: Connection, user_id: str) -> bool:
    statement = update(totp).where(totp.c.user_id == user_id).values(failures=0, locked_until=0)
    return connection.execute(statement).rowcount > 0


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, _DIGITS, SHA1(), STEP)  # noqa: S303 - as HMAC in RFC 6238, where collisions do not matter
