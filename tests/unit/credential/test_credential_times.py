"""Times keep all 64 bits and read as .NET and Windows read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from keytrust.credential import KeyCredential, KeyCredentialError, KeyTime, TimeForm, TimeKind

# (raw, form, text) from .NET: new DateTime(2017, 1, 2, 3, 4, 5, DateTimeKind.Utc).AddTicks(1234567), both ways.
TICKS = 636_189_230_451_234_567
FILETIME = TICKS - 504_911_232_000_000_000
TEXT = "2017-01-02T03:04:05.1234567Z"


def test_seven_digits_of_fraction_survive() -> None:
    assert KeyTime(FILETIME, TimeForm.FILETIME).isoformat() == TEXT
    assert KeyTime(TICKS | 1 << 62, TimeForm.BINARY).isoformat() == TEXT
    assert str(KeyTime(FILETIME, TimeForm.FILETIME)) == TEXT
    assert KeyTime(FILETIME, TimeForm.FILETIME).datetime() == datetime(2017, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)


def test_the_epochs_are_those_of_windows_and_of_dotnet() -> None:
    assert KeyTime(0, TimeForm.FILETIME).isoformat() == "1601-01-01T00:00:00.0000000Z"
    assert KeyTime(0, TimeForm.BINARY).isoformat() == "0001-01-01T00:00:00.0000000Z"
    assert KeyTime(116_444_736_000_000_000, TimeForm.FILETIME).datetime() == datetime(1970, 1, 1, tzinfo=UTC)
    assert KeyTime(621_355_968_000_000_000 | 1 << 62, TimeForm.BINARY).datetime() == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("bits", "kind"), [(0, TimeKind.UNSPECIFIED), (1, TimeKind.UTC), (2, TimeKind.LOCAL), (3, TimeKind.LOCAL)]
)
def test_the_kind_bits_are_read_and_do_not_change_the_time(bits: int, kind: TimeKind) -> None:
    time = KeyTime(TICKS | bits << 62, TimeForm.BINARY)
    assert (time.kind, time.isoformat()) == (kind, TEXT)


def test_a_local_time_before_year_one_in_utc_is_out_of_range() -> None:
    hour = 36_000_000_000
    time = KeyTime((2 << 62) | ((1 << 62) - hour), TimeForm.BINARY)
    assert (time.ticks, time.in_range, time.datetime(), time.isoformat()) == (-hour, False, None, None)


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ((1 << 64) - 1, TimeForm.FILETIME),
        (1 << 63, TimeForm.FILETIME),
        (3_155_378_976_000_000_000 - 504_911_232_000_000_000, TimeForm.FILETIME),
        (3_155_378_976_000_000_000, TimeForm.BINARY),
        ((1 << 62) - 1, TimeForm.BINARY),
    ],
)
def test_absurd_times_are_kept_and_have_no_date(raw: int, form: TimeForm) -> None:
    time = KeyTime(raw, form)
    assert (time.raw, time.datetime(), time.isoformat()) == (raw, None, None)
    assert f"{raw:016x}" in str(time)


def test_the_last_tick_of_the_year_9999_is_in_range() -> None:
    time = KeyTime(3_155_378_975_999_999_999, TimeForm.BINARY)
    assert time.isoformat() == "9999-12-31T23:59:59.9999999Z"
    assert time.datetime() == datetime.max.replace(tzinfo=UTC)


def test_making_a_time_from_a_datetime_in_any_zone() -> None:
    moment = datetime(2017, 1, 2, 4, 4, 5, 123456, tzinfo=timezone(timedelta(hours=1)))
    assert KeyTime.from_datetime(moment, TimeForm.FILETIME).raw == FILETIME - 7
    binary = KeyTime.from_datetime(moment, TimeForm.BINARY)
    assert (binary.raw, binary.kind) == ((TICKS - 7) | 1 << 62, TimeKind.UTC)


@pytest.mark.parametrize("text", [TEXT, "2017-01-02T04:04:05.1234567+01:00", "2017-01-01T21:34:05.1234567-05:30"])
def test_making_a_time_from_text_keeps_every_digit(text: str) -> None:
    assert KeyTime.from_isoformat(text, TimeForm.FILETIME).raw == FILETIME
    assert KeyTime.from_isoformat(text, TimeForm.BINARY).raw == TICKS | 1 << 62


def test_making_a_time_from_text_without_a_fraction() -> None:
    assert str(KeyTime.from_isoformat("2017-01-02T03:04:05Z", TimeForm.BINARY)) == "2017-01-02T03:04:05.0000000Z"
    assert str(KeyTime.from_isoformat("2017-01-02T03:04:05.5Z", TimeForm.BINARY)) == "2017-01-02T03:04:05.5000000Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2017-01-02",
        "2017-01-02T03:04:05",
        "2017-13-02T03:04:05Z",
        "2017-01-02T25:04:05Z",
        "2017-01-02 03:04:05Z",
        "2017-01-02T03:04:05.12345678Z",
        "٢٠١٧-01-02T03:04:05Z",
        "0001-01-01T00:00:00+01:00",
        TEXT + "\n",
    ],
)
def test_text_that_is_not_a_time_is_refused(text: str) -> None:
    with pytest.raises(KeyCredentialError):
        KeyTime.from_isoformat(text, TimeForm.BINARY)


def test_times_that_a_form_cannot_hold_are_refused() -> None:
    with pytest.raises(KeyCredentialError, match="time zone"):
        KeyTime.from_datetime(datetime(2020, 1, 1), TimeForm.BINARY)
    with pytest.raises(KeyCredentialError, match="1601"):
        KeyTime.from_datetime(datetime(1600, 12, 31, tzinfo=UTC), TimeForm.FILETIME)
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    with pytest.raises(KeyCredentialError):
        KeyTime.from_datetime(early, TimeForm.BINARY)
    for raw in (-1, 1 << 64):
        with pytest.raises(KeyCredentialError):
            KeyTime(raw, TimeForm.BINARY)


def test_converting_keeps_the_point_in_time() -> None:
    binary = KeyTime(TICKS | 1 << 62, TimeForm.BINARY)
    assert binary.converted(TimeForm.FILETIME) == KeyTime(FILETIME, TimeForm.FILETIME)
    assert binary.converted(TimeForm.FILETIME).converted(TimeForm.BINARY) == binary
    unspecified = KeyTime(TICKS, TimeForm.BINARY)
    assert unspecified.converted(TimeForm.BINARY) is unspecified


@pytest.mark.parametrize(
    ("source", "raw", "form"),
    [
        (0, FILETIME, TimeForm.FILETIME),
        (1, TICKS | 1 << 62, TimeForm.BINARY),
        (None, FILETIME, TimeForm.FILETIME),
        (None, TICKS | 1 << 62, TimeForm.BINARY),
        (9, TICKS | 2 << 62, TimeForm.BINARY),
    ],
)
def test_the_source_decides_the_form_and_the_kind_bits_do_without_one(
    source: int | None, raw: int, form: TimeForm
) -> None:
    entries = [] if source is None else [(5, bytes([source]))]
    created = KeyCredential.from_entries([*entries, (9, raw.to_bytes(8, "little"))]).created
    assert created == KeyTime(raw, form)
    assert str(created) == TEXT


def test_times_of_old_versions_are_ticks() -> None:
    entries = [(5, b"\0"), (9, TICKS.to_bytes(8, "little"))]
    for version in (0, 0x100):
        assert str(KeyCredential.from_entries(entries, version=version).created) == TEXT
