"""``GraphSource`` against a server that does everything legal, and much that is not."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import json
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from scripted_graph import Answer, FixedToken, Request, Script, page, patient, scripted, user

from keytrust.cloud import CloudUser, Reported, Unknown
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.limits import Limits
from keytrust.cloud.retry import RetryPolicy
from keytrust.errors import CloudError

FIRST, SECOND = [user(1, b"one"), user(2, b"two")], [user(3, b"three")]
LIMITS = Limits(page_bytes=200_000, pages=50, idle_pages=5, total_bytes=2_000_000)


def read(
    root: str, waits: list[float] | None = None, tokens: FixedToken | None = None, ca_file: Path | None = None
) -> list[CloudUser]:
    source = GraphSource(root, tokens or FixedToken(), ca_file=ca_file, retry=patient(waits), limits=LIMITS)
    return list(source.read())


def two_pages(second: Answer | list[Answer]) -> Script:
    """The first page is good; requests for the second get these answers in turn, then a good one."""
    faults = list(second) if isinstance(second, list) else None

    def script(request: Request, _: int) -> Answer:
        if "$skiptoken" not in request.path and "%24skiptoken" not in request.path:
            return page(FIRST, "?$skiptoken=2")
        if faults is None:
            assert isinstance(second, Answer)
            return second
        return faults.pop(0) if faults else page(SECOND)

    return script


def ids(users: list[CloudUser]) -> list[str]:
    return [found.id for found in users]


def test_a_complete_read_asks_for_what_matters_and_yields_every_user() -> None:
    with scripted(two_pages([])) as (root, seen):
        users = read(root)
    assert ids(users) == ["user-1", "user-2", "user-3"]
    assert [found.keys.keys[0].material for found in users] == [b"one", b"two", b"three"]
    assert "deviceKeys" in seen[0].path
    assert "onPremisesImmutableId" in seen[0].path
    assert {request.authorization for request in seen} == {"Bearer token-0"}


GOOD = json.dumps({"value": SECOND}).encode()
FATAL = {
    "400": Answer(b'{"error":{"code":"BadRequest","message":"no"}}', 400),
    "403": Answer(b'{"error":{"code":"Authorization_RequestDenied","message":"no"}}', 403, {"request-id": "r-1"}),
    "404": Answer(b"", 404),
    "410": Answer(b"{}", 410, {"Location": "/beta/users"}),
    "500 for ever": Answer(b"{}", 500),
    "429 for ever": Answer(b"{}", 429),
    "204": Answer(b"", 204),
    "206": Answer(GOOD, 206),
    "redirect": Answer(b"", 302, {"Location": "/beta/users"}),
    "a web page": Answer(b"<html>login</html>", 200, {"Content-Type": "text/html"}),
    "an empty body": Answer(b""),
    "a list": Answer(b"[]"),
    "null": Answer(b"null"),
    "no value": Answer(b"{}"),
    "null value": Answer(b'{"value":null}'),
    "an object as value": Answer(b'{"value":{}}'),
    "an error after the fact": Answer(GOOD[:-1] + b',"error":{"code":"x"}}'),
    "a user that is none": Answer(b'{"value":[null]}'),
    "a user without an id": Answer(b'{"value":[{"userPrincipalName":"x","deviceKeys":[]}]}'),
    "repeated names": Answer(b'{"value":[],"value":[]}'),
    "deep nesting": Answer(b'{"value":' + b"[" * 50_000),
    "not Unicode": Answer(b'{"value":[{"id":"\xff\xfe"}]}'),
    "trailing rubbish": Answer(GOOD + b"}"),
    "a cut answer for ever": Answer(GOOD, cut=20),
    "no answer for ever": Answer(cut=-1),
    "an absurd size": Answer(b'{"value":[' + b" " * 300_000 + b"]}"),
    "a bomb": Answer(gzip.compress(b'{"value":[' + b" " * 50_000_000 + b"]}"), 200, {"Content-Encoding": "gzip"}),
    "false compression": Answer(GOOD, 200, {"Content-Encoding": "gzip"}),
    "a link that is none": page(SECOND, 7),
    "an empty link": page(SECOND, ""),
    "a link to nowhere": Answer(GOOD[:-1] + b',"@odata.nextLink":null}'),
    "a link in a circle": page(SECOND, "?$skiptoken=2"),
    "a link with a user": page(SECOND, "http://someone@127.0.0.1/"),
}


@pytest.mark.parametrize("fault", FATAL)
def test_a_read_that_did_not_complete_raises_and_yields_nothing(fault: str) -> None:
    yielded: list[CloudUser] = []
    with scripted(two_pages(FATAL[fault])) as (root, seen):
        source = GraphSource(root, FixedToken(), retry=patient(), limits=LIMITS)
        with pytest.raises(CloudError) as caught:
            yielded.extend(source.read())
    assert yielded == []
    assert len(seen) <= 10
    assert caught.value.message
    assert "skiptoken" not in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("hang", [Answer(GOOD, silence=0), Answer(GOOD, silence=20), Answer(GOOD, drip=0.05)])
def test_a_server_that_hangs_or_drips_is_given_up_and_one_that_recovers_is_read(hang: Answer) -> None:
    limits = replace(LIMITS, page_seconds=1.0)
    with scripted(two_pages(hang)) as (root, _):
        twice = replace(patient(), attempts=2)
        with pytest.raises(CloudError, match="did not answer in time"):
            list(GraphSource(root, FixedToken(), retry=twice, limits=limits).read())
    with scripted(lambda _, number: hang if number == 0 else Answer(GOOD)) as (root, seen):
        found = list(GraphSource(root, FixedToken(), retry=patient(), limits=limits).read())
    assert [each.id for each in found] == [str(each["id"]) for each in SECOND]
    assert len(seen) >= 2


TRANSIENT = {
    "429": Answer(b"", 429),
    "429 with seconds": Answer(b"", 429, {"Retry-After": "7"}),
    "429 with a past date": Answer(b"", 429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "429 with nonsense": Answer(b"", 429, {"Retry-After": "later"}),
    "503": Answer(b"<html>", 503),
    "504": Answer(b"", 504),
    "a cut answer": Answer(GOOD, cut=len(GOOD) - 1),
    "no answer": Answer(cut=-1),
    "false compression": Answer(GOOD, 200, {"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_what_passes_is_waited_for(fault: str) -> None:
    waits: list[float] = []
    with scripted(two_pages([TRANSIENT[fault]] * 2)) as (root, _):
        assert ids(read(root, waits)) == ["user-1", "user-2", "user-3"]
    assert len(waits) == 2
    assert all(seconds > 0 for seconds in waits)
    if fault == "429 with seconds":
        assert all(seconds >= 7 for seconds in waits)


def test_a_wait_beyond_all_patience_is_not_begun() -> None:
    waits: list[float] = []
    with scripted(two_pages(Answer(b"", 429, {"Retry-After": "86400"}))) as (root, seen):
        with pytest.raises(CloudError, match="429"):
            read(root, waits)
        assert len(seen) == 2
    assert waits == []


def test_a_refused_token_is_renewed_once_in_mid_read() -> None:
    tokens = FixedToken()
    with scripted(two_pages([Answer(b"", 401)])) as (root, seen):
        assert ids(read(root, tokens=tokens)) == ["user-1", "user-2", "user-3"]
    assert tokens.renewals == 1
    assert [request.authorization for request in seen] == ["Bearer token-0", "Bearer token-0", "Bearer token-1"]


def test_a_token_that_stays_refused_ends_the_read() -> None:
    body = b'{"error":{"code":"InvalidAuthenticationToken","message":"expired\\u001b[2J"}}'
    with scripted(lambda *_: Answer(body, 401, {"request-id": "r-77"})) as (root, seen):
        with pytest.raises(CloudError) as caught:
            read(root)
        assert len(seen) == 2
    assert "401" in caught.value.message
    assert "token" in caught.value.remedy
    assert "InvalidAuthenticationToken" in caught.value.detail
    assert "r-77" in caught.value.detail
    assert "\x1b" not in caught.value.detail
    assert "token-" not in f"{caught.value.message}{caught.value.detail}{caught.value.remedy}"


def test_the_token_never_goes_to_another_server() -> None:
    with scripted(lambda *_: page(SECOND)) as (other, other_seen):
        for link in (f"{other}/beta/users", other.replace("http://", "http://x@"), f"{other}\\@127.0.0.1/"):
            with scripted(two_pages(page([], link))) as (root, _), pytest.raises(CloudError):
                read(root)
    assert other_seen == []


def test_empty_pages_are_legal_and_endless_ones_are_not() -> None:
    def script(request: Request, number: int) -> Answer:
        return page(SECOND) if number == 4 else page([], f"?$skiptoken={number}")

    with scripted(script) as (root, _):
        assert ids(read(root)) == ["user-3"]
    with scripted(lambda _, number: page([], f"?$skiptoken={number}")) as (root, seen):
        with pytest.raises(CloudError):
            read(root)
        assert len(seen) < 10


def test_endless_pages_of_new_and_of_old_users_are_bounded() -> None:
    def fresh(_: Request, number: int) -> Answer:
        return page([user(number, b"k")], f"?$skiptoken={number}")

    def replayed(_: Request, number: int) -> Answer:
        return page([user(1, b"k")], f"?$skiptoken={number}")

    for script in (fresh, replayed):
        with scripted(script) as (root, seen):
            with pytest.raises(CloudError):
                read(root)
            assert len(seen) <= LIMITS.pages + 1


def test_a_replayed_user_is_yielded_once() -> None:
    with scripted(two_pages(page([*FIRST, *SECOND]))) as (root, _):
        users = read(root)
    assert sorted(ids(users)) == ["user-1", "user-2", "user-3"]
    assert all(isinstance(found.keys, Reported) for found in users)


def test_a_replayed_user_with_other_keys_is_unknown() -> None:
    with scripted(two_pages(page([user(1), *SECOND]))) as (root, _):
        by_id = {found.id: found for found in read(root)}
    assert isinstance(by_id["user-1"].keys, Unknown)
    assert by_id["user-1"].keys.keys == ()
    assert isinstance(by_id["user-2"].keys, Reported)


def test_absent_null_and_empty_key_lists_stay_apart() -> None:
    absent = {"id": "absent", "userPrincipalName": "a"}
    users = [absent, {**absent, "id": "null", "deviceKeys": None}, {**absent, "id": "empty", "deviceKeys": []}]
    with scripted(lambda request, _: page(users) if "/users?" in request.path else Answer(b"{}", 404)) as (root, _):
        kinds = {found.id: type(found.keys) for found in read(root)}
    assert kinds == {"absent": Unknown, "null": Unknown, "empty": Reported}


def test_progress_counts_users_and_ends_at_their_number() -> None:
    counts: list[int] = []
    with scripted(two_pages([])) as (root, _):
        list(GraphSource(root, FixedToken()).read(counts.append))
    assert counts == [2, 3]


def test_a_refused_connection_is_named_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        waits: list[float] = []
        with pytest.raises(CloudError, match="nothing listens"):
            read(f"http://127.0.0.1:{probe.getsockname()[1]}", waits)
    assert waits == []


def certificate(directory: Path, name: x509.GeneralName, days: int = 1) -> tuple[ssl.SSLContext, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    ca_file = directory / "ca.pem"
    ca_file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    both = directory / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both.write_bytes(private + ca_file.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, ca_file


HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


def test_a_certificate_is_verified_against_the_given_authority(tmp_path: Path) -> None:
    tls, ca_file = certificate(tmp_path, HERE)
    with scripted(two_pages([]), tls) as (root, _):
        assert len(read(root, ca_file=ca_file)) == 3
        with pytest.raises(CloudError, match="not trusted"):
            read(root)


def test_a_certificate_for_another_name_or_time_is_named_as_such(tmp_path: Path) -> None:
    tls, ca_file = certificate(tmp_path, x509.DNSName("graph.example"))
    with scripted(two_pages([]), tls) as (root, seen):
        with pytest.raises(CloudError, match="another name"):
            read(root, ca_file=ca_file)
        assert seen == []
    tls, ca_file = certificate(tmp_path, HERE, days=-1)
    with scripted(two_pages([]), tls) as (root, _), pytest.raises(CloudError, match="not valid at this time"):
        read(root, ca_file=ca_file)


def test_a_client_that_stops_reading_leaves_nothing_behind() -> None:
    with scripted(two_pages([])) as (root, _):
        users = GraphSource(root, FixedToken(), retry=RetryPolicy()).read()
        assert next(users).id == "user-1"
        users.close()  # type: ignore[attr-defined]
