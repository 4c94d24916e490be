from __future__ import annotations

from keytrust.lab.mirror import carry_over, choose


def test_debians_own_main_archive_is_chosen_among_others() -> None:
    listing = "\n".join(
        [
            "cloud-sdk|cloud-sdk|main|https://cloud.example/apt/",
            "Debian|Debian-Security|main|http://mirror.example/debian-security/",
            "Debian|Debian|contrib|http://mirror.example/contrib/",
            "Debian|Debian|main|cdrom://[Debian 12]/",
            "Debian|Debian|main|http://mirror.example/debian/",
            "Debian|Debian|main|http://second.example/debian/",
        ]
    )
    assert choose(listing) == "http://mirror.example/debian/"


def test_no_archive_is_better_than_a_wrong_one() -> None:
    assert choose("") is None
    assert choose("Debian|Debian-Security|main|http://mirror.example/debian-security/") is None
    assert choose("|||http://mirror.example/debian/") is None
    assert choose("garbage\n||\n") is None


def test_proxies_are_carried_over_and_trust_is_not() -> None:
    dump = "\n".join(
        [
            'Acquire::http::Proxy "http://user:secret@proxy.example:3128";',
            'Acquire::https::Proxy::mirror.example "DIRECT";',
            'Acquire::Check-Valid-Until "false";',
            'Acquire::Retries "3";',
            'Acquire::http::Pipeline-Depth "";',
            'Acquire::AllowInsecureRepositories "1";',
            'Acquire::AllowWeakRepositories "1";',
            'APT::Get::AllowUnauthenticated "1";',
            'Acquire::http::Proxy "a"; APT::Get::AllowUnauthenticated "1"; x "y',
        ]
    )
    assert carry_over(dump).splitlines() == [
        'Acquire::http::Proxy "http://user:secret@proxy.example:3128";',
        'Acquire::https::Proxy::mirror.example "DIRECT";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::Retries "3";',
    ]
