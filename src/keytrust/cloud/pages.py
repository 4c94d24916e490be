"""Walking the pages of an OData collection to its end, within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from keytrust.cloud import diagnosis, strict_json
from keytrust.cloud.limits import Limits
from keytrust.cloud.origin import next_page
from keytrust.cloud.transport import Transport


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it came: ``body`` is its exact bytes, ``items`` the decoded ``value`` array."""

    url: httpx.URL
    body: bytes
    items: list[object]


def walk(transport: Transport, first: httpx.URL, limits: Limits) -> Iterator[Page]:
    """Every page from ``first`` to the one without ``@odata.nextLink``. Running to the end means complete.

    Raises:
        CloudError: a page could not be had, is not a page, or the pages run in a circle or without end.
    """
    url: httpx.URL | None = first
    seen: set[int] = set()
    total = 0
    while url is not None:
        # A 64-bit hash: two different links taken for one would end the read with an error, never quietly.
        if hash(str(url)) in seen:
            raise diagnosis.unusable(url, "sends its pages in a circle")
        seen.add(hash(str(url)))
        if len(seen) > limits.pages:
            raise diagnosis.unusable(url, f"sends more than {limits.pages} pages")
        body = transport.get(url)
        total += len(body)
        if total > limits.total_bytes:
            raise diagnosis.unusable(url, f"sends more than {limits.total_bytes} bytes of pages")
        content = decode(body, url)
        yield Page(url, body, page_items(content, url))
        link_names = [name for name in content if name.lower() == "@odata.nextlink"]
        url = next_page(content[link_names[0]], url) if link_names else None


def decode(body: bytes, url: httpx.URL) -> dict[str, object]:
    """The JSON object of an answer. Raises ``CloudError`` if it is anything else."""
    try:
        content = strict_json.loads(body)
    except ValueError as error:
        what = "a web page" if body.lstrip()[:1] == b"<" else "something that is not JSON"
        raise diagnosis.unusable(url, f"answered with {what}", diagnosis.printable(str(error), 200)) from None
    if not isinstance(content, dict):
        raise diagnosis.unusable(url, "answered with JSON that is not an object")
    return content


def page_items(content: dict[str, object], url: httpx.URL) -> list[object]:
    """The ``value`` array of a page.

    An ``error`` beside it means that the service failed after it had begun to answer (OData JSON 4.01, 21.3).
    """
    if any(name in content for name in ("error", "@odata.error", "odata.error")):
        raise diagnosis.unusable(url, "reported an error in the middle of a page")
    items = content.get("value")
    if not isinstance(items, list):
        raise diagnosis.unusable(url, "answered with a page that has no list of users")
    return items


def spooled_items(body: bytes) -> list[object]:
    """The items of a page that ``walk`` has already accepted."""
    content = strict_json.loads(body)
    items = content["value"] if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise TypeError("this page was not accepted by walk")
    return items
