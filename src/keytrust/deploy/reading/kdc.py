"""Asking a KDC, over TCP and over UDP."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime

from keytrust.deploy.checks.facts import KdcAnswer, Unread
from keytrust.deploy.reading.kerberos import MAX_BYTES, as_request, read_answer
from keytrust.errors import DirectoryError

PORT = 88
_UDP_TRIES = 2
"""A datagram may be lost; that is not yet a KDC that does not answer."""


def ask_tcp(host: str, name: str, realm: str, timeout: float) -> KdcAnswer | Unread:
    """Ask over TCP (RFC 4120 section 7.2.2)."""
    request = as_request(name, realm)
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection((host, PORT), timeout=timeout) as connection:
            connection.sendall(len(request).to_bytes(4, "big") + request)
            size = int.from_bytes(_receive(connection, 4, deadline), "big")
            if size > MAX_BYTES:
                return Unread(f"TCP port {PORT} answers something that is not Kerberos")
            return read_answer(_receive(connection, size, deadline), datetime.now(UTC))
    except TimeoutError:
        return Unread(f"no answer on TCP port {PORT} within {timeout:g} s")
    except DirectoryError as error:
        return Unread(f"TCP port {PORT}: {error.message}")
    except (OSError, UnicodeError) as error:
        return Unread(f"TCP port {PORT}: {_words(error)}")


def ask_udp(host: str, name: str, realm: str, timeout: float) -> KdcAnswer | Unread:
    """Ask over UDP (RFC 4120 section 7.2.1)."""
    request = as_request(name, realm)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, PORT, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as connection:
            connection.settimeout(timeout / _UDP_TRIES)
            connection.connect(address)
            for attempt in range(_UDP_TRIES):
                connection.send(request)
                try:
                    return read_answer(connection.recv(MAX_BYTES), datetime.now(UTC))
                except TimeoutError:
                    if attempt + 1 == _UDP_TRIES:
                        raise
    except TimeoutError:
        return Unread(f"no answer on UDP port {PORT} within {timeout:g} s")
    except DirectoryError as error:
        return Unread(f"UDP port {PORT}: {error.message}")
    except (OSError, UnicodeError) as error:
        return Unread(f"UDP port {PORT}: {_words(error)}")
    raise AssertionError("every attempt ends above")


def _receive(connection: socket.socket, size: int, deadline: float) -> bytes:
    received = b""
    while len(received) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("the connection ended in the middle of the answer")
        received += part
    return received


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
