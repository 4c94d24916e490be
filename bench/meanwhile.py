"""Users who register a key while a complete read is under way: how long until it is in the directory and confirmed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from uuid import UUID

from tests.support.directory import MemoryDirectory
from tests.support.memory_link import MemoryLink

from bench.population import NOW, PAGE, PlayedDirectory, PlayedSource, key_material
from keytrust.cloud.delta import Changes
from keytrust.cloud.source import CloudUser, RegisteredKey, Reported
from keytrust.service.duty import Duty
from keytrust.service.feeds import CloudFeed
from keytrust.service.worker import Worker
from keytrust.sync.keycheck import key_faults

_PAUSE = 1.0
_NUMBERS = 1_000_000_000
"""Keys that nobody in the population has."""


class ChangingSource(PlayedSource):
    """A source whose feed tells what is put into ``changed``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.changed: list[CloudUser] = []

    def changes(self, cursor: str | None = None) -> Changes:
        told, self.changed = tuple(self.changed), []
        return Changes(told, {}, cursor or "0")


class Meanwhile:
    """The service's own feed and worker, for some users of the population.

    Args:
        duty: With a ``ChangingSource``.
        folder: The population's.
    """

    def __init__(self, duty: Duty, folder: Path) -> None:
        assert isinstance(duty.source, ChangingSource)
        self._source = duty.source
        self._users = list(islice(PlayedSource(folder).read(), PAGE))
        self._directory = MemoryDirectory(*islice(PlayedDirectory(folder).accounts(), PAGE))
        self._feed = CloudFeed(duty, lambda: None, lambda: None)
        self._worker = Worker(duty, MemoryLink(self._directory))
        self.seconds: list[float] = []
        self.fault: BaseException | None = None

    @contextmanager
    def registering(self) -> Iterator[None]:
        """One registration a second until the block ends; raises what went wrong with any."""
        ended = threading.Event()
        thread = threading.Thread(target=self._register, args=(ended,), name="registrations", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        if self.fault is not None:
            raise self.fault

    def _register(self, ended: threading.Event) -> None:
        try:
            for number, user in enumerate(self._users):
                if ended.wait(_PAUSE):
                    return
                self.seconds.append(self._registered(number, user))
        except BaseException as fault:
            self.fault = fault

    def _registered(self, number: int, user: CloudUser) -> float:
        key = RegisteredKey(_fit_material(number), UUID(int=_NUMBERS + number), created=NOW)
        assert user.source_anchor is not None
        before = len(self._directory.values[user.source_anchor])
        began = time.perf_counter()
        self._source.changed.append(replace(user, keys=Reported((*user.keys.keys, key))))
        self._feed.poll()
        self._worker.work()
        assert len(self._directory.values[user.source_anchor]) == before + 1, user.upn
        return time.perf_counter() - began


def _fit_material(number: int) -> bytes:
    """A key that the service would not refuse as weak."""
    candidates = (key_material(_NUMBERS * (attempt + 1) + number) for attempt in count())
    return next(material for material in candidates if not key_faults(material))
