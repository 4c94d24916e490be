"""Alerts by syslog, in the form of RFC 5424, to the local socket, by UDP (RFC 5426) or by TCP (RFC 6587)."""

from __future__ import annotations

import os
import re
import socket

from keytrust.alerts.alert import Alert
from keytrust.directory.account import guid_text
from keytrust.service.events import EventKind

_SECONDS = 5.0
_AUTHPRIV = 10
_SEVERITIES = {EventKind.UNEXPECTED_VALUE: 2, EventKind.CAP_REACHED: 3, EventKind.LEASE_LOST: 4}
_WARNING = 4
_MOST_BYTES = 2048
"""What RFC 5424 section 6.1 wants every receiver to take."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NAME = re.compile(r"[^\x21-\x7e]|[=\]\"]")
ID = "keytrust@32473"
"""Name of the structured data; 32473 is the number for documentation (RFC 5612), as keytrust has none of its own."""


def message(alert: Alert, host: str, process: int) -> bytes:
    """One syslog message."""
    event = alert.event
    priority = _AUTHPRIV * 8 + _SEVERITIES.get(event.kind, _WARNING)
    at = event.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    data: dict[str, object] = {"domain": event.domain, "repeated": alert.repeated}
    if event.account is not None:
        account = event.account
        data |= {"account": account.name, "sid": account.sid, "guid": guid_text(account.guid), "dn": account.dn}
    data |= {name: value for name, value in event.data.items() if value is not None and name != "value"}
    structured = " ".join(f'{_NAME.sub("_", name)[:32]}="{_escaped(str(value))}"' for name, value in data.items())
    head = f"<{priority}>1 {at} {_NAME.sub('_', host)[:255] or '-'} keytrust {process} {event.kind.value[:32]} "
    text = f"{head}[{ID} {structured}] \ufeff{_plain(event.sentence)}".encode("utf-8", "replace")
    if len(text) <= _MOST_BYTES:
        return text
    # Cut where it does least harm: structured data that is cut is not structured any more.
    short = f'{head}[{ID} domain="{_escaped(event.domain)}"] \ufeff{_plain(event.sentence)}'.encode("utf-8", "replace")
    return short[:_MOST_BYTES].decode("utf-8", "ignore").encode()


class Syslog:
    """Sends alerts to one receiver.

    Args:
        kind: ``unix``, ``udp`` or ``tcp``.
        place: Path of the socket, or host.
        port: Port.
    """

    name = "syslog"

    def __init__(self, kind: str, place: str, port: int) -> None:
        self._kind = kind
        self._place = place
        self._port = port
        self._connection: socket.socket | None = None

    def deliver(self, alert: Alert) -> str:
        """Deliver one alert; returns why it was not taken, empty when it was."""
        text = message(alert, socket.gethostname(), os.getpid())
        try:
            self._connected().sendall(f"{len(text)} ".encode() + text if self._kind == "tcp" else text)
        except OSError as error:
            self.close()
            return error.strerror or type(error).__name__
        return ""

    def close(self) -> None:
        """End the connection; the next alert opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> socket.socket:
        if self._connection is not None and self._kind == "tcp" and _ended(self._connection):
            self.close()  # a receiver that went away takes one more message in silence
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> socket.socket:
        if self._kind == "tcp":
            return socket.create_connection((self._place, self._port), timeout=_SECONDS)
        if self._kind == "unix":
            family, address = socket.AF_UNIX, self._place
            made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            made.settimeout(_SECONDS)
            made.connect(address)
            return made
        family_of_host, _, _, _, place = socket.getaddrinfo(self._place, self._port, type=socket.SOCK_DGRAM)[0]
        made = socket.socket(family_of_host, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        made.settimeout(_SECONDS)
        made.connect(place)
        return made


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _escaped(text: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", _plain(text))


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", text)
