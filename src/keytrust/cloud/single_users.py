"""Reading users one by one, many at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx

from keytrust.cloud import diagnosis
from keytrust.cloud.batch import Batches
from keytrust.cloud.retry import TRANSIENT
from keytrust.cloud.source import CloudUser
from keytrust.cloud.transport import Transport
from keytrust.cloud.user_json import parse_user
from keytrust.errors import CloudError


@dataclass(frozen=True, slots=True)
class Single:
    """The answer about one user: the user's JSON, or the status with which it was refused."""

    id: str
    user: Mapping[str, object] | None
    status: int


@dataclass(slots=True)
class Settled:
    """What became of some users.

    Attributes:
        users: Those who are there.
        removed: Ids of those who are gone, each with ``unknown`` for the reason.
        refused: The answers about those of whom the service does not tell.
    """

    users: list[CloudUser] = field(default_factory=list)
    removed: dict[str, str] = field(default_factory=dict)
    refused: list[Single] = field(default_factory=list)


class SingleUsers:
    """Reads single users over one transport.

    Args:
        transport: An open one.
        base: ``<root>/beta``.
        select: The properties to ask for.
    """

    def __init__(self, transport: Transport, base: httpx.URL, select: str) -> None:
        self._batches = Batches(transport, base)
        self._base = base
        self._select = select

    def read(self, ids: Sequence[str]) -> Iterator[Single]:
        """An answer for each id, in no particular order.

        Raises:
            CloudError: the service could not be asked, or its answers are not about these users.
        """
        names = {f"/users/{quote(name, safe='')}?$select={self._select}": name for name in ids}
        for answer in self._batches.read(list(names)):
            name, body = names[answer.path], answer.body
            if answer.status != httpx.codes.OK:
                yield Single(name, None, answer.status)
            # Ids are compared as the service writes them: it was the service that told us this one.
            elif not isinstance(body, Mapping) or body.get("id") != name or "error" in body:
                raise diagnosis.unusable(self._base, "answered about another user than the one asked for")
            else:
                yield Single(name, body, answer.status)

    def settle(self, ids: Collection[str]) -> Settled:
        """What became of these users.

        Raises:
            CloudError: the service could not be asked, or would not say just now: whoever goes on from there would
                not ask for that user again until everything is read.
        """
        settled = Settled()
        for answer in self.read(sorted(ids)):
            if answer.user is not None:
                settled.users.append(parse_user(answer.user))
            elif answer.status in TRANSIENT:
                raise self.silent_about(answer, "just now ")
            elif answer.status == httpx.codes.NOT_FOUND:
                settled.removed[answer.id] = "unknown"
            else:
                settled.refused.append(answer)
        return settled

    def silent_about(self, answer: Single, when: str = "") -> CloudError:
        """The error that a user is not told of."""
        what = f"would not say {when}what became of user {answer.id} ({answer.status})"
        return diagnosis.unusable(self._base.copy_with(path=f"{self._base.path}/users/delta"), what)
