"""Many small reads: in batches of 20 where the service knows ``$batch``, else each on its own; several at a time."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from keytrust.cloud import diagnosis
from keytrust.cloud.diagnosis import RefusedError
from keytrust.cloud.pages import decode
from keytrust.cloud.retry import TRANSIENT
from keytrust.cloud.transport import Transport

BATCH_SIZE = 20
"""As many requests as Microsoft Graph takes in one ``$batch``."""
AT_ONCE = 8
"""Requests under way at the same time; the transport's budget bounds how many there are in a second."""

_NO_BATCH = frozenset({400, 403, 404, 405, 415, 501})


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one read: a decoded body, or only the status with which it was refused."""

    path: str
    status: int
    body: object = None


class Batches:
    """Reads many paths over one transport.

    Args:
        transport: An open one.
        base: Root and version, ``<root>/beta``.
    """

    def __init__(self, transport: Transport, base: httpx.URL) -> None:
        self._transport = transport
        self._base = base
        self._batches = True
        self._tried = False

    def read(self, paths: Sequence[str]) -> Iterator[Answer]:
        """An answer for each path (``/users/…?…``, each once), in no particular order.

        Raises:
            CloudError: the service could not be asked, or its answers are not to these reads.
        """
        chunks = [paths[start : start + BATCH_SIZE] for start in range(0, len(paths), BATCH_SIZE)]
        if chunks and not self._tried:
            self._tried = True
            yield from self._chunk(chunks.pop(0))  # which shows whether there are batches
        if not chunks:
            return
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="graph")
        try:
            under_way: deque[Future[list[Answer]]] = deque()
            for chunk in chunks:
                under_way.append(pool.submit(self._chunk, chunk))
                if len(under_way) >= 2 * AT_ONCE:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _chunk(self, paths: Sequence[str]) -> list[Answer]:
        if self._batches:
            try:
                return self._batch(paths)
            except RefusedError as error:
                if error.status not in _NO_BATCH:
                    raise
                self._batches = False
        return [self._single(path) for path in paths]

    def _batch(self, paths: Sequence[str]) -> list[Answer]:
        """One batch; those of its requests that were throttled are sent again, on their own, after a wait."""
        url = self._base.copy_with(path=f"{self._base.path}/$batch")
        waiting = dict(enumerate(paths, 1))
        done: list[Answer] = []
        attempt = 0
        while waiting:
            attempt += 1
            requests = [{"id": str(key), "method": "GET", "url": path} for key, path in waiting.items()]
            content = json.dumps({"requests": requests}).encode()
            answers = _answers(self._transport.post(url, content, units=len(requests)), url)
            if answers.keys() != {str(key) for key in waiting}:
                raise diagnosis.unusable(url, "answered a batch with answers to other requests")
            again: dict[int, str] = {}
            retry_after: str | None = None
            for key, path in waiting.items():
                status, headers, body = answers[str(key)]
                if status in TRANSIENT:
                    again[key] = path
                    retry_after = max(retry_after or "", headers.get("retry-after", ""), key=_seconds) or None
                else:
                    done.append(Answer(path, status, body if status == httpx.codes.OK else None))
            if any(answers[str(key)][0] == httpx.codes.TOO_MANY_REQUESTS for key in again):
                self._transport.throttled()
            if again and not self._transport.wait(attempt, retry_after):
                return done + [Answer(path, answers[str(key)][0]) for key, path in again.items()]
            waiting = again
        return done

    def _single(self, path: str) -> Answer:
        url = httpx.URL(f"{self._base}{path}")
        try:
            return Answer(path, int(httpx.codes.OK), decode(self._transport.get(url), url))
        except RefusedError as error:
            if error.status in {401, *TRANSIENT}:
                raise
            return Answer(path, error.status)


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


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1.0
