"""The two encodings of time in a key credential, kept to the last bit.

Keys that Active Directory registered carry a Windows FILETIME (100 ns units since 1601-01-01 UTC). Keys that came from
the cloud carry a .NET ``DateTime.ToBinary()``: 62 bits of ticks (100 ns units since 0001-01-01) below two bits that
tell the kind. Python's ``datetime`` holds microseconds only, so the integer is what is kept.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from datetime import UTC, timedelta
from enum import StrEnum

from keytrust.credential.errors import KeyCredentialError

FILETIME_EPOCH = 504_911_232_000_000_000  # 1601-01-01 in ticks
_MAX_TICKS = 3_155_378_975_999_999_999  # the last tick of the year 9999
_TICKS_PER_DAY = 864_000_000_000
_EPOCH = dt.datetime(1, 1, 1, tzinfo=UTC)
_UTC_BITS = 1 << 62
_KIND_SHIFT = 62
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def ticks_of(moment: dt.datetime) -> int:
    """The ticks (100 ns units since 0001-01-01 UTC) of an aware ``datetime``.

    Raises:
        KeyCredentialError: it has no time zone, or its UTC is before year 1.
    """
    if moment.tzinfo is None:
        raise KeyCredentialError(f"the time {moment.isoformat()} has no time zone")
    since = moment - _EPOCH
    return since.days * _TICKS_PER_DAY + since.seconds * 10_000_000 + since.microseconds * 10


def encode_filetime(ticks: int) -> int:
    """The FILETIME for ``ticks``.

    Raises:
        KeyCredentialError: the time is outside the years 1601 to 9999.
    """
    if not FILETIME_EPOCH <= ticks <= _MAX_TICKS:
        raise KeyCredentialError(
            f"a time of {ticks} ticks is outside the years 1601 to 9999 that a FILETIME is made for"
        )
    return ticks - FILETIME_EPOCH


def encode_binary(ticks: int) -> int:
    """What ``DateTime.ToBinary()`` gives for ``ticks`` of kind UTC.

    Raises:
        KeyCredentialError: the time is outside the years 1 to 9999.
    """
    if not 0 <= ticks <= _MAX_TICKS:
        raise KeyCredentialError(f"a time of {ticks} ticks is outside the years 1 to 9999")
    return ticks | _UTC_BITS


class TimeForm(StrEnum):
    """How a time is encoded in its 8 bytes."""

    FILETIME = "filetime"
    BINARY = "binary"
    """.NET ``DateTime.ToBinary()``."""


class TimeKind(StrEnum):
    """The kind that a ``BINARY`` time says it is. The ticks of a local time are stored as UTC all the same."""

    UNSPECIFIED = "unspecified"
    UTC = "utc"
    LOCAL = "local"


_KINDS = (TimeKind.UNSPECIFIED, TimeKind.UTC, TimeKind.LOCAL, TimeKind.LOCAL)


@dataclass(frozen=True, slots=True)
class KeyTime:
    """A point in time as a key credential stores it.

    Attributes:
        raw: The stored 64 bits as an unsigned integer.
        form: How they are to be read.

    Raises:
        KeyCredentialError: ``raw`` does not fit in 64 bits.
    """

    raw: int
    form: TimeForm

    def __post_init__(self) -> None:
        if not 0 <= self.raw < 1 << 64:
            raise KeyCredentialError("a time of a key credential does not fit in 64 bits")

    @classmethod
    def from_datetime(cls, moment: dt.datetime, form: TimeForm) -> KeyTime:
        """Encode an aware ``datetime``; a ``BINARY`` time gets the kind UTC.

        Raises:
            KeyCredentialError: ``moment`` has no time zone, or lies before the form's epoch.
        """
        return cls.from_ticks(ticks_of(moment), form)

    @classmethod
    def from_ticks(cls, ticks: int, form: TimeForm) -> KeyTime:
        """Encode ``ticks`` (100 ns units since 0001-01-01 UTC); a ``BINARY`` time gets the kind UTC.

        Raises:
            KeyCredentialError: the form cannot hold it.
        """
        return cls(encode_filetime(ticks) if form is TimeForm.FILETIME else encode_binary(ticks), form)

    @classmethod
    def from_isoformat(cls, text: str, form: TimeForm) -> KeyTime:
        """Encode ISO 8601 text with a zone and up to 7 digits of fraction, as the cloud's JSON has it.

        Raises:
            KeyCredentialError: it is anything else.
        """
        match = _ISO.fullmatch(text)
        if match is None:
            raise KeyCredentialError("a creation time is not ISO 8601 with a time zone")
        year, month, day, hour, minute, second = (int(digits) for digits in match.groups()[:6])
        fraction, sign = match[7] or "", match[8]
        try:
            seconds = dt.datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _EPOCH
        except ValueError as error:
            raise KeyCredentialError(f"a creation time is not a date: {error}") from error
        offset = 0 if sign is None else (int(match[9]) * 60 + int(match[10])) * (-1 if sign == "-" else 1)
        whole = seconds - timedelta(minutes=offset)
        ticks = whole.days * _TICKS_PER_DAY + whole.seconds * 10_000_000 + int(fraction.ljust(7, "0"))
        return cls.from_ticks(ticks, form)

    @property
    def kind(self) -> TimeKind:
        """What kind of time it says it is; a FILETIME is always UTC."""
        return TimeKind.UTC if self.form is TimeForm.FILETIME else _KINDS[self.raw >> _KIND_SHIFT]

    @property
    def ticks(self) -> int:
        """100 ns units since 0001-01-01 UTC, which may lie outside the years 1 to 9999."""
        if self.form is TimeForm.FILETIME:
            return self.raw + FILETIME_EPOCH
        ticks = self.raw & (_UTC_BITS - 1)
        if self.kind is TimeKind.LOCAL and ticks > _UTC_BITS - _TICKS_PER_DAY:
            ticks -= _UTC_BITS  # .NET wraps a local time that is before year 1 in UTC
        return ticks

    @property
    def in_range(self) -> bool:
        """Whether it lies in the years 1 to 9999."""
        return 0 <= self.ticks <= _MAX_TICKS

    def converted(self, form: TimeForm) -> KeyTime:
        """The same point in time in the given form; itself when it has that form already.

        Raises:
            KeyCredentialError: the form cannot hold it.
        """
        return self if self.form is form else KeyTime.from_ticks(self.ticks, form)

    def datetime(self) -> dt.datetime | None:
        """The time as an aware UTC ``datetime``, cut to whole microseconds; None outside the years 1 to 9999."""
        return _EPOCH + timedelta(microseconds=self.ticks // 10) if self.in_range else None

    def isoformat(self) -> str | None:
        """Exact ISO 8601 text with all seven digits of fraction; None outside the years 1 to 9999."""
        moment = self.datetime()
        if moment is None:
            return None
        return f"{moment.replace(tzinfo=None, microsecond=0).isoformat()}.{self.ticks % 10_000_000:07d}Z"

    def __str__(self) -> str:
        return self.isoformat() or f"out of range (0x{self.raw:016x})"
