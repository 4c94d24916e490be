"""A KDC that only ever says one thing: what real ones say too rarely to be waited for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """Listen on a loopback port for Kerberos over TCP; yields the port.

    Args:
        answer: What every request gets; None for no answer at all, with the connection kept open.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []
        thread = threading.Thread(target=_serve, args=(server, answer, kept))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


def _serve(server: socket.socket, answer: bytes | None, kept: list[socket.socket]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        kept.append(connection)
        with suppress(OSError):
            connection.settimeout(5)
            connection.recv(65536)
            if answer is not None:
                connection.sendall(len(answer).to_bytes(4, "big") + answer)


def error(code: int, realm: str = "FAKE.EXAMPLE", data: bytes = b"") -> bytes:
    """DER of a KRB-ERROR (RFC 4120 section 5.9.1)."""
    name = _tlv(0xA0, _integer(2)) + _tlv(0xA1, _tlv(0x30, _string("krbtgt") + _string(realm)))
    fields = (
        _tlv(0xA0, _integer(5))
        + _tlv(0xA1, _integer(30))
        + _tlv(0xA4, _tlv(0x18, b"20300101000000Z"))
        + _tlv(0xA5, _integer(0))
        + _tlv(0xA6, _integer(code))
        + _tlv(0xA9, _string(realm))
        + _tlv(0xAA, _tlv(0x30, name))
        + (_tlv(0xAC, _tlv(0x04, data)) if data else b"")
    )
    return _tlv(0x7E, _tlv(0x30, fields))


def method_data(*types: int) -> bytes:
    """DER of a METHOD-DATA that offers preauthentication types (RFC 4120 section 5.9.1)."""
    entries = (_tlv(0x30, _tlv(0xA1, _integer(each)) + _tlv(0xA2, _tlv(0x04, b""))) for each in types)
    return _tlv(0x30, b"".join(entries))


def config(port: int, path: Path, realm: str = "FAKE.EXAMPLE") -> Path:
    """Write a Kerberos configuration that knows the KDC on ``port`` alone."""
    path.write_text(
        f"[libdefaults]\n default_realm = {realm}\n dns_lookup_kdc = false\n udp_preference_limit = 1\n"
        f"[realms]\n {realm} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
    )
    return path


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _string(text: str) -> bytes:
    return _tlv(0x1B, text.encode())


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
