"""Exported files as a ``KeySource``."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from keytrust.cloud import strict_json
from keytrust.cloud.fields import kind
from keytrust.cloud.one_user import UserName, one_of
from keytrust.cloud.replays import merge_copies
from keytrust.cloud.source import CloudUser, Progress
from keytrust.cloud.user_json import parse_user
from keytrust.errors import CloudError

MAX_FILE = 2 * 2**30
"""Largest accepted file, bytes. Decoding takes about five times a file's size of memory."""

_NOT_DONE = "no user of this file was read"
_REMEDY = (
    "export it again; expected are JSON users with deviceKeys or searchableDeviceKey: a list, a page, or JSON lines"
)
# Longest mark first: the UTF-32 one begins with the UTF-16 one.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class FileSource:
    """Reads users from a JSON file.

    Accepted are a list of users, a Graph page ``{"value": [...]}`` and JSON lines of either; with ``deviceKeys``
    (Graph) or ``searchableDeviceKey`` (Azure AD Graph exports); in UTF-8, or in UTF-16 as PowerShell writes it.

    Args:
        path: The file.
        max_bytes: Larger files are refused.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_FILE) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def __repr__(self) -> str:
        return f"FileSource({str(self._path)!r})"

    @property
    def name(self) -> str:
        """See ``KeySource``."""
        return str(self._path)

    def read(self, progress: Progress | None = None) -> Iterator[CloudUser]:
        """See ``KeySource``. The whole file is decoded before the first user comes out.

        Raises:
            CloudError: the file cannot be read, is cut short, or is not one of the accepted shapes.
        """
        users: dict[str, list[CloudUser]] = {}
        for item in self._items():
            try:
                user = parse_user(item)
            except CloudError as error:
                raise self._damaged(error.message) from error
            users.setdefault(user.id, []).append(user)
        for done, copies in enumerate(users.values(), start=1):
            yield merge_copies(copies)
            if progress is not None and (done % 1000 == 0 or done == len(users)):
                progress(done)

    def user(self, name: UserName) -> CloudUser | None:
        """See ``UserSource``. The whole file is read."""
        return one_of(self.read(), name, self.name)

    def _items(self) -> list[object]:
        text = decode_text(self._load())
        if text is None:
            raise self._damaged("it is not Unicode text")
        if not text.strip():
            raise self._damaged("it is empty")
        try:
            content = strict_json.loads(text)
        except ValueError as whole:
            return self._json_lines(text, whole)
        return self._users_of(content)

    def _json_lines(self, text: str, whole: ValueError) -> list[object]:
        items: list[object] = []
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                content = strict_json.loads(line)
            except ValueError as error:
                # Whatever does not even begin as JSON lines is better explained by the error of the whole.
                detail = str(error) if items else str(whole)
                raise self._damaged("it is cut short or not JSON", f"line {number}: {detail}") from None
            items.extend(self._users_of(content))
        return items

    def _users_of(self, content: object) -> list[object]:
        if isinstance(content, list):
            return content
        if not isinstance(content, dict):
            raise self._damaged(f"it holds {kind(content)} where users are expected")
        if "value" not in content:
            return [content]
        if any("nextlink" in name.lower() for name in content):
            raise self._damaged("it is one page of several (it has a nextLink)")
        items = content["value"]
        if not isinstance(items, list) or "error" in content:
            raise self._damaged("its value is not a complete list of users")
        return items

    def _load(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                data = file.read(self._max_bytes + 1)
        except OSError as error:
            raise CloudError(
                f"the file {self._path} cannot be read: {error.strerror}",
                not_done=_NOT_DONE,
                remedy="check the path and its permissions",
            ) from error
        if len(data) > self._max_bytes:
            raise CloudError(
                f"the file {self._path} is larger than {self._max_bytes} bytes",
                not_done=_NOT_DONE,
                remedy="split it by users",
            )
        return data

    def _damaged(self, what: str, detail: str = "") -> CloudError:
        return CloudError(
            f"the file {self._path} cannot be used: {what}", not_done=_NOT_DONE, remedy=_REMEDY, detail=detail
        )


def decode_text(data: bytes) -> str | None:
    """Unicode text by its byte order mark, else by where its zero bytes are (RFC 4627, 3); None if it is not."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode(data[len(mark) :], encoding)
    if data[1:2] == b"\0":
        return _decode(data, "utf-16-le")
    return _decode(data, "utf-16-be" if data[:1] == b"\0" else "utf-8")


def _decode(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None
