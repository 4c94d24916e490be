"""Following ``users/delta``: what changed, and the cursor from which to ask the next time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import httpx

from keytrust.cloud import diagnosis
from keytrust.cloud.diagnosis import RefusedError
from keytrust.cloud.limits import Limits
from keytrust.cloud.origin import next_page
from keytrust.cloud.pages import decode, page_items
from keytrust.cloud.source import CloudUser
from keytrust.cloud.transport import Transport
from keytrust.cloud.user_json import user_id

_LOST_STATES = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired"})


_Answer = tuple[httpx.URL, dict[str, object], int]
"""Where a page came from, its content, and its size in bytes."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a delta read brought.

    Attributes:
        users: Those that were added or changed, as they are now.
        removed: Ids of those that are gone, and the service's reason (``changed``: restorable; ``deleted``). That a
            user is gone says nothing about the keys of an account.
        cursor: What to hand in the next time.
        everybody: Whether this was a first round (no cursor, or the service had lost track), in which whoever is not
            among the users was not reported.
    """

    users: tuple[CloudUser, ...]
    removed: Mapping[str, str]
    cursor: str = field(repr=False)
    everybody: bool = False


@dataclass(slots=True)
class Round:
    """One round as it comes in: for each id every item that was reported, and in the end the delta link."""

    items: dict[str, list[Mapping[str, object]]] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)
    cursor: str = ""
    everybody: bool = False

    @property
    def disputed(self) -> set[str]:
        """Ids of which the round says two different things. Which of them is the last word is not known: pages may be
        replayed.
        """
        twice = {name for name, items in self.items.items() if any(item != items[0] for item in items[1:])}
        return twice | (self.items.keys() & self.removed.keys())


def follow(transport: Transport, start: httpx.URL, cursor: str | None, limits: Limits) -> Round:
    """A whole round, from a cursor, or from ``start`` if there is none or the service does not know it any more.

    Raises:
        CloudError: the round did not complete, or the cursor is of another service.
    """
    if cursor is None:
        return _round(transport, start, limits, everybody=True)
    try:
        return _round(transport, next_page(cursor, start), limits, everybody=False)
    except RefusedError as error:
        if not _is_lost(error):
            raise
        # The service may say where to begin; without that, where everybody begins. A bare address would begin with
        # the properties of its own choice, and from then on tell of no change in those that we need.
        told = start if error.location is None else next_page(error.location, start)
        again = told if told.query else start
        return _round(transport, again, limits, everybody=True)


def _round(transport: Transport, first: httpx.URL, limits: Limits, *, everybody: bool) -> Round:
    result = Round(everybody=everybody)
    total = 0
    for url, content, size in _pages(transport, first, limits):
        total += size
        if total > limits.total_bytes:
            raise diagnosis.unusable(url, f"sends more than {limits.total_bytes} bytes of changes")
        for item in page_items(content, url):
            name = user_id(item)
            assert isinstance(item, Mapping)  # noqa: S101 - it has an id
            if "@removed" in item:
                removed = item["@removed"]
                reason = removed.get("reason") if isinstance(removed, Mapping) else None
                result.removed[name] = reason if reason in {"changed", "deleted"} else "unknown"
            else:
                result.items.setdefault(name, []).append(item)
        delta = _link(content, "@odata.deltalink")
        if delta is not None:
            result.cursor = str(next_page(delta, url))
    return result


def _pages(transport: Transport, first: httpx.URL, limits: Limits) -> Iterator[_Answer]:
    url = first
    seen: set[int] = set()
    idle = 0
    while True:
        if hash(str(url)) in seen or len(seen) >= limits.pages:
            raise diagnosis.unusable(url, "sends its changes in a circle, or without end")
        seen.add(hash(str(url)))
        body = transport.get(url)
        content = decode(body, url)
        yield url, content, len(body)
        idle = 0 if content.get("value") else idle + 1
        if idle > limits.idle_pages:
            raise diagnosis.unusable(url, "sends page after page without a change")
        following = _link(content, "@odata.nextlink")
        if (following is None) == (_link(content, "@odata.deltalink") is None):
            raise diagnosis.unusable(url, "answered with a page of changes that has not one link, to go on or to end")
        if following is None:
            return
        url = next_page(following, url)


def _link(content: Mapping[str, object], name: str) -> object | None:
    return next((value for key, value in content.items() if key.lower() == name), None)


def _is_lost(error: RefusedError) -> bool:
    return error.status == httpx.codes.GONE or error.code.lower() in _LOST_STATES
