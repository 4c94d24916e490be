"""Reading users one by one, many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from keytrust.cloud import diagnosis
from keytrust.cloud.batch import Batches
from keytrust.cloud.transport import Transport


@dataclass(frozen=True, slots=True)
class Single:
    """The answer about one user: the user's JSON, or the status with which it was refused."""

    id: str
    user: Mapping[str, object] | None
    status: int


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
