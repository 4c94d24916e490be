"""A private authority on disk: what it makes holds before independent verifiers, and survives interruption and undo."""

from __future__ import annotations

import subprocess
from base64 import b64decode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pyasn1.codec.der import decoder
from sqlalchemy import Engine, text
from tests.support.site import keytrust

from keytrust.deploy.errors import SetupError
from keytrust.deploy.journal import SetupJournal
from keytrust.deploy.pki import authority, controller
from keytrust.deploy.pki.authority import plan_authority, plan_crl
from keytrust.deploy.pki.controller import Request, plan_controller
from keytrust.deploy.pki.folder import AuthorityFolder, need_authority
from keytrust.deploy.runner import Actor, carry_out
from keytrust.deploy.step import Step, World
from keytrust.deploy.undo import plan_undo
from keytrust.pki.kerberos import KRB5_PRINCIPAL_NAME, NTDS_REPLICATION
from keytrust.pki.revocation import Reason
from keytrust.store.database import open_store

ACTOR = Actor("host", "this machine", "root")
PASSPHRASE = b"five quite random words here"
GUID = UUID("00112233-4455-6677-8899-aabbccddeeff")
URL = "http://pki.corp.example/ca.crl"
YEAR = timedelta(days=365)


def secret() -> bytes:
    return PASSPHRASE


def not_asked() -> bytes:
    raise AssertionError("nothing is to be signed")


@pytest.fixture
def store(tmp_path: Path) -> Engine:
    return open_store(f"sqlite:///{tmp_path}/store.db")


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys as short as may be: making the real ones takes most of the time of these tests."""
    for module in (authority, controller):
        monkeypatch.setattr(module, "KEY_BITS", 2048)


@pytest.fixture
def folder(tmp_path: Path, store: Engine) -> Path:
    path = tmp_path / "offline" / "pki"
    do(store, plan_authority(path, "Corp KDC CA", 10 * YEAR, YEAR, URL, secret))
    return path


def do(store: Engine, step: Step) -> str:
    assert step.changes
    return carry_out(step, World(), SetupJournal(store), ACTOR).run


def undo(store: Engine, run: str) -> tuple[str, ...]:
    journal = SetupJournal(store)
    step, conflicts = plan_undo(journal.run(run), journal.entries(run), World())
    carry_out(step, World(), journal, ACTOR)
    return conflicts


def request(pki: Path, **changed: Any) -> Request:
    fields: dict[str, Any] = {
        "host": "dc1.corp.example",
        "realm": "CORP.EXAMPLE",
        "aliases": ("ldap.corp.example",),
        "guid": GUID,
        "life": YEAR,
        "folder": pki / "dc1",
        "place": PurePosixPath("/etc/keytrust/kdc"),
    }
    return Request(**(fields | changed))


def issue(store: Engine, folder: Path, *, renew: bool = False, **changed: Any) -> x509.Certificate:
    do(store, plan_controller(need_authority(folder), request(folder, **changed), secret, renew=renew))
    latest = need_authority(folder).register.certificates[-1]
    return x509.load_pem_x509_certificate(Path(latest.file).read_bytes())


def revoke(folder: Path, *names: str, **more: Any) -> Step:
    return plan_crl(need_authority(folder), names, Reason.KEY_COMPROMISE, YEAR, secret, **more)


def openssl(*arguments: object) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def verified(folder: Path, certificate: x509.Certificate) -> str:
    """What OpenSSL says, with the authority alone as anchor and its list of the revoked."""
    file = next(path for path in (folder / "dc1").glob("*.crt") if _is(path, certificate))
    lists = ("-crl_check", "-CRLfile", folder / "ca.crl.pem")
    return openssl("verify", "-x509_strict", "-purpose", "sslserver", *lists, "-CAfile", folder / "ca.crt", file)


def _is(path: Path, certificate: x509.Certificate) -> bool:
    return x509.load_pem_x509_certificate(path.read_bytes()) == certificate


def test_a_kdc_certificate_says_all_that_clients_look_for(store: Engine, folder: Path) -> None:
    certificate = issue(store, folder)
    assert ": OK" in verified(folder, certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["dc1.corp.example", "ldap.corp.example", "corp.example"]
    others = {name.type_id: name.value for name in names if isinstance(name, x509.OtherName)}
    principal, _ = decoder.decode(others[KRB5_PRINCIPAL_NAME])
    assert [str(part) for part in principal[1][1]] == ["krbtgt", "CORP.EXAMPLE"]
    assert others[NTDS_REPLICATION].hex() == "0410" + "33221100554477668899aabbccddeeff"
    purposes = {
        each.dotted_string for each in certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    }
    assert purposes == {"1.3.6.1.5.2.3.5", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"}
    assert URL in openssl("x509", "-noout", "-text", "-in", folder / "dc1" / "kdc-1.crt")
    key = load_pem_private_key((folder / "dc1" / "kdc-1.key").read_bytes(), None)
    assert key.public_key() == certificate.public_key()


def test_a_name_too_long_for_a_subject_is_certified_all_the_same(store: Engine, folder: Path) -> None:
    host = f"{'a' * 63}.{'b' * 63}.corp.example"
    certificate = issue(store, folder, host=host)
    assert certificate.subject.rdns == []
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    assert ": OK" in verified(folder, certificate)


def test_keys_are_for_their_owner_only_and_are_in_no_journal(store: Engine, folder: Path) -> None:
    issue(store, folder)
    for key in (folder / "ca.key", folder / "dc1" / "kdc-1.key"):
        assert key.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in (folder / "ca.key").read_bytes()
    with store.connect() as connection:
        rows = connection.execute(text("SELECT change FROM setup_journal")).scalars().all()
    lines = (folder / "dc1" / "kdc-1.key").read_text().splitlines() + (folder / "ca.key").read_text().splitlines()
    written = b"".join(b64decode(word) for row in rows for word in (row or "").split('"') if _is_base64(word))
    assert b"BEGIN CERTIFICATE" in written, "what is no secret is in it"
    assert not [line for line in lines if len(line) == 64 and line.encode() in written]


def _is_base64(word: str) -> bool:
    return len(word) > 100 and len(word) % 4 == 0 and " " not in word


def test_nothing_is_issued_while_the_last_is_good_and_what_is_not_good_is_said(store: Engine, folder: Path) -> None:
    issue(store, folder)
    again = plan_controller(need_authority(folder), request(folder), not_asked, renew=False)
    assert again.changes == ()

    def why(**changed: Any) -> str:
        return plan_controller(need_authority(folder), request(folder, **changed), secret, renew=False).why[0]

    assert "it is for" in why(aliases=())
    assert "another GUID" in why(guid=None)
    assert "files are not in order" in why(place=PurePosixPath("/opt/kdc"))
    (folder / "dc1" / "kdc-1.key").unlink()
    assert "its key is not beside it" in why()
    (folder / "dc1" / "kdc-1.crt").unlink()
    assert "is not there" in why()


def test_it_is_renewed_in_the_last_third_with_a_key_of_its_own(store: Engine, folder: Path) -> None:
    first = issue(store, folder, life=timedelta(hours=1))
    register = need_authority(folder).register
    made = datetime.now(UTC) - timedelta(hours=0.7)
    old = register.certificates[0].model_copy(update={"made": made, "until": made + timedelta(hours=1)})
    (folder / "issued.json").write_bytes(register.model_copy(update={"certificates": (old,)}).text())
    second = issue(store, folder)
    assert second.public_key() != first.public_key()
    for name in ("smb.conf", "krb5-kdc.conf", "mit-kdc.conf"):
        assert "kdc-2.key" in (folder / "dc1" / name).read_text()
        assert "kdc-1" not in (folder / "dc1" / name).read_text()
    assert (folder / "dc1" / "kdc-1.key").exists(), "until the controller has the new one"


def test_a_certificate_does_not_outlive_its_authority(store: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "short"
    do(store, plan_authority(folder, "Short", timedelta(days=90), YEAR, None, secret))
    certificate = issue(store, folder)
    assert certificate.not_valid_after_utc == need_authority(folder).certificate.not_valid_after_utc


def test_the_revoked_are_refused_by_the_list_and_the_others_are_not(store: Engine, folder: Path) -> None:
    first, second = issue(store, folder), issue(store, folder, renew=True)
    do(store, revoke(folder, f"{first.serial_number:X}"))
    assert "certificate revoked" in verified(folder, first)
    assert ": OK" in verified(folder, second)
    assert plan_crl(need_authority(folder), (), Reason.UNSPECIFIED, YEAR, not_asked).changes == ()
    assert revoke(folder, renew=True).changes


def test_numbers_of_lists_only_grow_also_after_an_undo(store: Engine, folder: Path) -> None:
    def number() -> int:
        crl = x509.load_der_x509_crl((folder / "ca.crl").read_bytes())
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    first = number()
    run = do(store, revoke(folder, renew=True))
    second = number()
    assert undo(store, run) == ()
    assert number() == first
    do(store, revoke(folder, renew=True))
    assert first < second < number()


def test_a_damaged_or_foreign_list_is_made_anew(store: Engine, folder: Path, tmp_path: Path) -> None:
    do(store, plan_authority(tmp_path / "other", "Other", YEAR, YEAR, None, secret))
    for content in (b"", b"rubbish", (tmp_path / "other" / "ca.crl").read_bytes()):
        (folder / "ca.crl").write_bytes(content)
        do(store, revoke(folder))
        assert need_authority(folder).crl is not None


def test_a_run_that_was_undone_leaves_nothing_and_its_certificate_can_still_be_revoked(
    store: Engine, folder: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    step = plan_controller(need_authority(folder), request(folder), secret, renew=False)
    run = do(store, step)
    copy = tmp_path / "copy.crt"
    copy.write_bytes((folder / "dc1" / "kdc-1.crt").read_bytes())
    assert undo(store, run) == ()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert not (folder / "dc1").exists()
    do(store, revoke(folder, str(copy)))
    crl = need_authority(folder).crl
    serial = x509.load_pem_x509_certificate(copy.read_bytes()).serial_number
    assert crl is not None
    assert crl.get_revoked_certificate_by_serial_number(serial) is not None


def test_an_authority_that_has_issued_is_not_undone(store: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    run = do(store, plan_authority(folder, "Corp", YEAR, YEAR, None, secret))
    issue(store, folder)
    conflicts = undo(store, run)
    assert any("ca.key may be in use" in each for each in conflicts)
    assert (folder / "ca.key").exists()
    assert need_authority(folder).issuer(PASSPHRASE)
    unused = tmp_path / "unused"
    run = do(store, plan_authority(unused, "Unused", YEAR, YEAR, None, secret))
    assert undo(store, run) == ()
    assert not unused.exists()


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 5])
def test_a_run_that_is_killed_anywhere_leaves_no_certificate_unrecorded_nor_named_with_anothers_key(
    store: Engine, folder: Path, after: int
) -> None:
    issue(store, folder)
    step = plan_controller(need_authority(folder), request(folder), secret, renew=True)

    def kill(done: int) -> None:
        if done > after:
            raise _Killed

    with suppress(_Killed):
        carry_out(step, World(), SetupJournal(store), ACTOR, kill)
    recorded = {each.serial for each in need_authority(folder).register.certificates}
    for path in (folder / "dc1").glob("kdc-*.crt"):
        assert f"{x509.load_pem_x509_certificate(path.read_bytes()).serial_number:x}" in recorded
    for name in ("smb.conf", "krb5-kdc.conf"):
        told = (folder / "dc1" / name).read_text()
        [stem] = {stem for stem in ("kdc-1", "kdc-2") if f"{stem}." in told}
        certificate = x509.load_pem_x509_certificate((folder / "dc1" / f"{stem}.crt").read_bytes())
        key = load_pem_private_key((folder / "dc1" / f"{stem}.key").read_bytes(), None)
        assert key.public_key() == certificate.public_key()
    issue(store, folder, renew=True)


def test_two_at_once_do_not_lose_a_record(store: Engine, folder: Path) -> None:
    found = need_authority(folder)
    ours = plan_controller(found, request(folder), secret, renew=False)
    theirs = plan_controller(
        found, request(folder, folder=folder / "dc2", host="dc2.corp.example"), secret, renew=False
    )
    do(store, theirs)
    with pytest.raises(SetupError, match="has other content now"):
        do(store, ours)
    assert not (folder / "dc1").exists()


def _damaged(folder: Path, what: str) -> AuthorityFolder:
    if what == "register":
        (folder / "issued.json").write_bytes(b'{"version": 1, "certificates": [{')
    elif what == "gone":
        (folder / "issued.json").unlink()
    elif what == "certificate":
        (folder / "ca.crt").write_bytes(b"\x00\xff")
    return need_authority(folder)


@pytest.mark.parametrize(
    ("what", "said"),
    [("register", "is not a register"), ("gone", "a part of an authority"), ("certificate", "is not a certificate")],
)
def test_a_damaged_authority_is_refused_with_what_is_wrong(folder: Path, what: str, said: str) -> None:
    with pytest.raises(SetupError, match=said):
        _damaged(folder, what)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": "dc1"}, "full DNS name"),
        ({"host": "dc1.corp.example\n[libdefaults]"}, "full DNS name"),
        ({"aliases": ("*.corp.example",)}, "full DNS name"),
        ({"host": "dc1.bücher.example"}, "full DNS name"),
        ({"realm": "CORP\n}"}, "Kerberos realm"),
        ({"realm": ""}, "Kerberos realm"),
        ({"place": PurePosixPath("relative")}, "named in smb.conf"),
        ({"place": PurePosixPath("/etc/a,b")}, "named in smb.conf"),
    ],
)
def test_names_that_would_do_harm_in_a_configuration_file_are_refused(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(SetupError, match=said):
        request(tmp_path, **changed)


def test_the_wrong_passphrase_a_short_one_and_anothers_key_are_refused(
    folder: Path, tmp_path: Path, store: Engine
) -> None:
    with pytest.raises(SetupError, match="does not open"):
        need_authority(folder).issuer(b"wrong")
    with pytest.raises(SetupError, match="shorter than 16"):
        plan_authority(tmp_path / "new", "New", YEAR, YEAR, None, lambda: b"short")
    do(store, plan_authority(tmp_path / "other", "Other", YEAR, YEAR, None, secret))
    (folder / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(SetupError, match="is not the key of"):
        need_authority(folder).issuer(PASSPHRASE)
    with pytest.raises(SetupError, match="cannot be a CRL distribution point"):
        plan_authority(tmp_path / "new", "New", YEAR, YEAR, "https://pki/ca.crl", secret)


def test_only_certificates_of_this_authority_can_be_revoked(folder: Path, tmp_path: Path, store: Engine) -> None:
    do(store, plan_authority(tmp_path / "other", "Corp KDC CA", YEAR, YEAR, None, secret))
    foreign = issue(store, tmp_path / "other")
    for name in (f"{foreign.serial_number:x}", str(tmp_path / "other" / "dc1" / "kdc-1.crt"), "../..", "", "\0"):
        with pytest.raises(SetupError, match="neither the serial number"):
            revoke(folder, name)


def test_the_command_needs_no_directory_and_a_passphrase_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    config, passphrase, folder = tmp_path / "keytrust.toml", tmp_path / "passphrase", str(tmp_path / "pki")
    config.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/store.db"\n', encoding="utf-8")
    passphrase.write_bytes(PASSPHRASE + b"\n")
    passphrase.chmod(0o644)

    def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
        given = env if env is not None else {"KEYTRUST_CONFIG": str(config)}
        done = keytrust("setup", *arguments, env=given)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    make = ("pki", "ca", "--dir", folder, "--passphrase-file", str(passphrase))
    code, _, err = run(*make, "--yes")
    assert (code, "Others than its owner may read" in err) == (1, True), err
    passphrase.chmod(0o600)
    assert run(*make, "--dry-run")[0] == 2
    assert not Path(folder).exists()
    code, _, err = run(*make)
    assert (code, "--yes says that it is meant" in err, Path(folder).exists()) == (1, True, False), "nobody to ask"
    assert run(*make, "--yes")[0] == 0
    need_authority(Path(folder)).issuer(PASSPHRASE)
    code, _, err = run("pki", "kdc", "dc1.corp.example", "--dir", folder, "--yes")
    assert (code, "no terminal to ask on for the passphrase" in err) == (1, True), err
    code, _, err = run("undo", "last", "--yes")
    assert (code, Path(folder).exists()) == (0, False), err
    nowhere = {"KEYTRUST_CONFIG": str(tmp_path / "none.toml")}
    code, _, err = run(*make, "--yes", env=nowhere)
    assert (code, "no configuration file" in err) == (1, True), "before anything is asked or made"
