"""The operator's page of the checks says what the catalogue says."""

from __future__ import annotations

from tests.support.doctor_page import PAGE, wanted


def test_the_page_has_every_check_as_it_is_now() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == wanted(page), "python -m tests.support.doctor_page writes it anew"
