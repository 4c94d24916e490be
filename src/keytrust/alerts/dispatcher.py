"""From events to alerts: nothing here ever makes the service wait."""

from __future__ import annotations

import contextlib
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from keytrust.alerts.alert import Alert, Gate
from keytrust.alerts.settings import AlertSettings
from keytrust.alerts.syslog import Syslog
from keytrust.alerts.webhook import Webhook, read_secret
from keytrust.log import logger
from keytrust.service.events import Event
from keytrust.store.holder import holder_name

QUEUE = 1000
"""Alerts that wait for one channel; what comes beyond that is dropped, and counted."""
ATTEMPTS = 10
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds until an alert is tried again: doubled each time, with jitter; about five minutes in all."""
_LAST_SECONDS = 5.0


class Channel(Protocol):
    """A way to tell somebody."""

    name: str

    def deliver(self, alert: Alert) -> str: ...
    def close(self) -> None: ...


class Dispatcher:
    """A listener that passes alerts on to channels, each in a thread of its own.

    Args:
        gate: Which events are told.
        channels: By what.
        pause: Seconds before the first retry; given by tests.
    """

    def __init__(self, gate: Gate, channels: Sequence[Channel], *, pause: float = FIRST_PAUSE) -> None:
        self._gate = gate
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pause = pause
        self._lines = [(channel, queue.Queue[Alert](QUEUE)) for channel in channels]
        self._threads = [
            threading.Thread(target=self._serve, args=line, name=f"alerts {line[0].name}", daemon=True)
            for line in self._lines
        ]
        self.dropped = 0
        """Alerts that were given up or found no place."""

    def start(self) -> None:
        """Begin delivering."""
        for thread in self._threads:
            thread.start()

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        with self._lock:
            alert = self._gate.pass_on(event, time.monotonic())
        if alert is None:
            return
        for channel, line in self._lines:
            try:
                line.put_nowait(alert)
            except queue.Full:
                self._give_up(channel, alert, "too many alerts wait")

    def stop(self) -> None:
        """End soon: what waits is tried once more, for a few seconds in all."""
        self._stop.set()
        deadline = time.monotonic() + _LAST_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for channel, _ in self._lines:
            channel.close()

    def _serve(self, channel: Channel, line: queue.Queue[Alert]) -> None:
        while True:
            try:
                alert = line.get(timeout=0.2)
            except queue.Empty:
                if self._stop.is_set():
                    return
                continue
            self._deliver(channel, alert)

    def _deliver(self, channel: Channel, alert: Alert) -> None:
        fault = ""
        for attempt in range(ATTEMPTS):
            try:
                fault = channel.deliver(alert)
            except Exception as error:  # one alert that cannot be told must not end the telling
                fault = f"internal fault: {type(error).__name__}"
            if not fault:
                return
            pause = min(LONGEST_PAUSE, self._pause * 2.0**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            if self._stop.wait(pause):
                break
        self._give_up(channel, alert, fault)

    def _give_up(self, channel: Channel, alert: Alert, why: str) -> None:
        self.dropped += 1
        logger().error("an alert was not delivered", channel=channel.name, kind=alert.event.kind.value, why=why)


@contextlib.contextmanager
def alerting(settings: AlertSettings, subscribe: Callable[[Callable[[Event], None]], None]) -> Iterator[None]:
    """Tell of events until the block ends.

    Raises:
        ConfigError: the webhook's secret cannot be read.
    """
    channels: list[Channel] = []
    if settings.webhook_url is not None and settings.webhook_secret_file is not None:
        secret = read_secret(settings.webhook_secret_file)
        channels.append(Webhook(settings.webhook_url, secret, holder_name("keytrust run")))
    if settings.syslog_address is not None:
        channels.append(Syslog(*settings.syslog_address))
    dispatcher = Dispatcher(Gate(settings.kinds, settings.repeat_minutes * 60), channels)
    subscribe(dispatcher)
    dispatcher.start()
    try:
        yield
    finally:
        dispatcher.stop()
