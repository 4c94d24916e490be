"""The state of a delta read, as the opaque token that the client keeps."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass
from uuid import UUID

from keytrust.registry.odata import bad_request

LIFETIME = 7 * 86_400
"""How long a token is good, seconds, as Microsoft Graph documents."""

_MAX = 4096
_VERSION = 1


@dataclass(frozen=True, slots=True)
class DeltaState:
    """Where a delta read stands.

    Attributes:
        instance: Which database this is of.
        issued: When the round began, seconds since 1970.
        seq: Changes up to this number have been reported; in the first round, will have been at its end.
        after: In the first round, the id of the last user reported; None in every later one.
        first: Whether this is the first round, in which everybody is reported.
        names: The selected properties.
    """

    instance: str
    issued: int
    seq: int
    after: str | None
    first: bool
    names: tuple[str, ...]


def encode(state: DeltaState) -> str:
    """The token of a state."""
    fields = [_VERSION, state.instance, state.issued, state.seq, state.after, state.first, ",".join(state.names)]
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(fields, separators=(",", ":")).encode())).decode()


def decode(token: str) -> DeltaState:
    """The state of a token. The names in it are not checked.

    Raises:
        ODataError: it is not one of ours.
    """
    try:
        if len(token) > _MAX:
            raise ValueError(token)  # noqa: TRY301 - one answer for every kind of damage
        inflate = zlib.decompressobj()
        content = inflate.decompress(base64.b64decode(token, altchars=b"-_", validate=True), 4 * _MAX)
        version, instance, issued, seq, after, first, names = json.loads(content)
        whole = [isinstance(number, int) and 0 <= number < 2**53 for number in (issued, seq)]
        if version != _VERSION or not all(whole) or not isinstance(first, bool) or not isinstance(names, str):
            raise ValueError(version)  # noqa: TRY301 - as above
        return DeltaState(
            instance=str(UUID(instance)),
            issued=issued,
            seq=seq,
            after=None if after is None else str(UUID(after)),
            first=first,
            names=tuple(names.split(",")),
        )
    except (ValueError, TypeError, AttributeError, RecursionError, zlib.error, binascii.Error):
        bad_request("The token of the delta query is not one that this service gave out.")
