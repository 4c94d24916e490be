"""Reading users one by one: in batches of 20 where the service knows ``$batch``, else each with its own request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from keytrust.cloud import diagnosis
from keytrust.cloud.diagnosis import RefusedError
from keytrust.cloud.pages import decode
from keytrust.cloud.retry import TRANSIENT
from keytrust.cloud.transport import Transport

BATCH_SIZE = 20
"""As many requests as Microsoft Graph takes in one ``$batch``."""

_NO_BATCH = frozenset({400, 403, 404, 405, 415, 501})


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
        self._transport = transport
        self._base = base
        self._select = select
        self._batches = True

    def read(self, ids: Sequence[str]) -> Iterator[Single]:
        """An answer for each id, in no particular order.

        Raises:
            CloudError: the service could not be asked, or its answers are not about these users.
        """
        for start in range(0, len(ids), BATCH_SIZE):
            chunk = ids[start : start + BATCH_SIZE]
            if self._batches:
                try:
                    yield from self._batch(chunk)
                    continue
                except RefusedError as error:
                    if error.status not in _NO_BATCH:
                        raise
                    self._batches = False
            for name in chunk:
                yield self._single(name)

    def _batch(self, ids: Sequence[str]) -> list[Single]:
        """One batch; those of its requests that were throttled are sent again, on their own, after a wait."""
        url = self._base.copy_with(path=f"{self._base.path}/$batch")
        waiting = dict(enumerate(ids, 1))
        done: list[Single] = []
        attempt = 0
        while waiting:
            attempt += 1
            requests = [{"id": str(key), "method": "GET", "url": self._path(name)} for key, name in waiting.items()]
            answers = _answers(self._transport.post(url, json.dumps({"requests": requests}).encode()), url)
            if answers.keys() != {str(key) for key in waiting}:
                raise diagnosis.unusable(url, "answered a batch with answers to other requests")
            again: dict[int, str] = {}
            retry_after: str | None = None
            for key, name in waiting.items():
                status, headers, body = answers[str(key)]
                if status in TRANSIENT:
                    again[key] = name
                    retry_after = max(retry_after or "", headers.get("retry-after", ""), key=_seconds) or None
                else:
                    done.append(_single(name, status, body, url))
            if again and not self._transport.wait(attempt, retry_after):
                return done + [Single(name, None, answers[str(key)][0]) for key, name in again.items()]
            waiting = again
        return done

    def _single(self, name: str) -> Single:
        path, _, query = self._path(name).partition("?")
        url = self._base.join(f"{self._base}{path}?{query}")
        try:
            return _single(name, 200, decode(self._transport.get(url), url), url)
        except RefusedError as error:
            if error.status in {401, *TRANSIENT}:
                raise
            return Single(name, None, error.status)

    def _path(self, name: str) -> str:
        return f"/users/{quote(name, safe='')}?$select={self._select}"


def _answers(body: bytes, url: httpx.URL) -> dict[str, tuple[int, dict[str, str], object]]:
    responses = decode(body, url).get("responses")
    result: dict[str, tuple[int, dict[str, str], object]] = {}
    for each in responses if isinstance(responses, list) else [None]:
        if not isinstance(each, Mapping) or not isinstance(each.get("id"), str) or each["id"] in result:
            raise diagnosis.unusable(url, "answered with something that is not the answer to a batch")
        status, headers = each.get("status"), each.get("headers")
        if not isinstance(status, int) or isinstance(status, bool):
            raise diagnosis.unusable(url, "answered with something that is not the answer to a batch")
        pairs = headers.items() if isinstance(headers, Mapping) else ()
        result[each["id"]] = (status, {str(name).lower(): str(value) for name, value in pairs}, each.get("body"))
    return result


def _single(name: str, status: int, body: object, url: httpx.URL) -> Single:
    if status != httpx.codes.OK:
        return Single(name, None, status)
    # Ids are compared as the service writes them: it was the service that told us this one.
    if not isinstance(body, Mapping) or body.get("id") != name or "error" in body:
        raise diagnosis.unusable(url, "answered about another user than the one asked for")
    return Single(name, body, status)


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1.0
