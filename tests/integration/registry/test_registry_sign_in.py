"""From a user's password and second factor to a registered key: a real directory, a real registry, no shortcut."""

from __future__ import annotations

import base64
import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from registry_process import process
from registry_site import DESKTOP, LAPTOP, Site, quick_material
from sqlalchemy import update
from typer.testing import CliRunner

from keytrust.cli.main import app
from keytrust.device import Device
from keytrust.directory.password import PasswordVerdict, check_password
from keytrust.errors import CloudError, DirectoryError
from keytrust.lab import Lab, LabUser
from keytrust.registry import RegistrySettings, register_device, running
from keytrust.registry.applications import add_application
from keytrust.registry.audit import Origin
from keytrust.registry.settings import SignInSettings
from keytrust.registry.tables import totp
from keytrust.registry.tokens import ADMINISTRATOR, READER
from keytrust.registry.users import set_blocked

pytestmark = pytest.mark.lab

PASSWORD = "Correct horse 9 battery"
MakeUser = Callable[..., LabUser]


@dataclass
class Office:
    """A site whose users sign in at the registry itself: ``alice`` owns the laptop and has an app, ``bob`` has not."""

    site: Site
    lab: Lab
    config: Path
    alice: str
    bob: str
    secret: bytes = b""

    def code(self) -> str:
        """A code that is good. Each is so once; instead of waiting for the next, the registry is made to forget it."""
        with self.site.database.write() as connection:
            connection.execute(update(totp).values(last_step=0))
        return TOTP(self.secret, 6, SHA1(), 30).generate(int(time.time())).decode()  # noqa: S303

    def ask(self, **changes: Any) -> httpx.Response:
        form = {
            "grant_type": "password",
            "username": self.alice,
            "password": PASSWORD,
            "otp": changes.pop("otp", None) or self.code(),
            "device_id": str(LAPTOP),
            "scope": f"{self.site.settings.key_provision_resource}/.default",
            **changes,
        }
        form = {name: value for name, value in form.items() if value is not ...}
        return httpx.post(f"{self.site.url}/keytrust.local/oauth2/v2.0/token", data=form, timeout=30)

    def run(self, *words: str) -> Any:
        result = CliRunner().invoke(app, ["registry", *words, "--config", str(self.config)])
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads(result.stdout) if "--json" in words else result.stdout


@pytest.fixture
def office(lab: Lab, tmp_path: Path, make_user: MakeUser) -> Iterator[Office]:
    alice, bob = (make_user(password=PASSWORD) for _ in range(2))
    domain_controllers = SignInSettings(servers=(f"dc1.{lab.spec.domain}",), ca_file=lab.spec.ca_cert)
    made = Site.make(tmp_path, signing_keys=tmp_path / "keys", sign_in=domain_controllers, failures_per_minute=0)
    config = tmp_path / "keytrust.toml"
    lines = lab.spec.config.read_text().split("[registry]")[0]
    config.write_text(
        f'{lines}\n[registry]\ndatabase_url = "{made.settings.database_url}"\nsigning_keys = "{tmp_path}/keys"\n'
    )
    ours = Office(made, lab, config, f"{alice.sam}@{lab.spec.domain}", f"{bob.sam}@{lab.spec.domain}")
    try:
        ours.run("import")
        ours.secret = base64.b32decode(
            parse_qs(urlsplit(ours.run("totp", ours.alice, "--json")["otpauth"]).query)["secret"][0]
        )
        register_device(made.database, LAPTOP, owner_upn=ours.alice)
        register_device(made.database, DESKTOP, owner_upn=ours.bob)
        with running(made.settings) as url:
            ours.site = replace(made, url=url)
            yield ours
    finally:
        made.database.close()


def test_a_user_of_the_directory_signs_in_and_registers_a_key(office: Office) -> None:
    device = Device(LAPTOP)
    token = device.sign_in(office.site.url, "keytrust.local", office.alice, PASSWORD, office.code())
    claims = jwt.decode(token, options={"verify_signature": False})
    assert {"ngcmfa", "pwd", "otp"} <= set(claims["amr"])
    assert (claims["upn"], claims["deviceid"]) == (office.alice, str(LAPTOP))
    assert (claims["aud"], claims["exp"] - claims["auth_time"]) == (office.site.settings.key_provision_resource, 600)
    assert device.register(office.site.url, "keytrust.local", token).upn == office.alice
    assert [key["user"] for key in office.run("keys", "--json")] == [office.alice]
    trail = [(entry["actor"], entry["action"]) for entry in office.run("audit", "--user", office.alice, "--json")]
    assert trail[:2] == [(f"user {office.alice}", "register key"), (f"user {office.alice}", "sign in")]


def test_the_token_is_good_for_registering_and_nothing_else(office: Office) -> None:
    token = office.ask().json()["access_token"]
    answer = httpx.get(f"{office.site.url}/v1.0/users", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_an_old_sign_in_registers_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    token = office.ask().json()["access_token"]
    real = time.time
    monkeypatch.setattr(time, "time_ns", lambda: int((real() + 601) * 1e9))
    refused = office.site.post(quick_material(1), token)
    assert (refused.status_code, refused.json()["code"]) == (401, "mfa_expired")


def test_every_way_to_fail_looks_alike(office: Office) -> None:
    used = office.code()
    assert office.ask(otp=used).status_code == 200
    answers = {
        "used": office.ask(otp=used),
        "password": office.ask(password="wrong"),
        "otp": office.ask(otp="000000"),
        "no factor": office.ask(username=office.bob, otp="123456"),
        "nobody": office.ask(username="nobody@example.org", otp="123456"),
        "odd name": office.ask(username="a\0b", otp="123456"),
    }
    said = {
        (answer.status_code, answer.json()["error"], tuple(answer.json()["error_codes"])) for answer in answers.values()
    }
    assert said == {(400, "invalid_grant", (50126,))}
    texts = {answer.json()["error_description"].split(" Trace ID")[0] for answer in answers.values()}
    assert len(texts) == 1


def test_a_password_is_not_tried_at_the_directory_without_the_second_factor(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "keytrust.registry.sign_in.check_password",
        lambda _settings, name, *_: asked.append(name) or PasswordVerdict.WRONG,
    )
    assert office.ask(otp="000000").status_code == 400
    assert asked == []
    assert office.ask().status_code == 400
    assert asked == [office.alice]


def test_failed_tries_lock_the_user_out_for_a_while_whoever_they_are(office: Office) -> None:
    for name in (office.alice, "nobody@example.org"):
        statuses = [office.ask(username=name, otp="000000").status_code for _ in range(6)]
        assert statuses == [400] * 5 + [429], name
    refused = office.ask()
    assert (refused.status_code, refused.json()["error_codes"]) == (429, [50053])
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    assert "Unlocked" in office.run("totp", office.alice, "--unlock")
    assert office.ask().status_code == 200
    # The domain controller was not bothered: the account is not locked there.
    assert "lock second factor" in [entry["action"] for entry in office.run("audit", "--json")]


def test_wrong_passwords_lock_as_well(office: Office) -> None:
    statuses = [office.ask(password=f"wrong {number}").status_code for number in range(6)]
    assert statuses == [400] * 5 + [429]


@pytest.mark.parametrize("device", [str(DESKTOP), str(UUID(int=99))])
def test_the_device_must_be_known_and_the_users_own(office: Office, device: str) -> None:
    refused = office.ask(device_id=device)
    assert (refused.status_code, refused.json()["error_codes"]) == (400, [50155])


def test_a_user_who_is_blocked_here_does_not_sign_in(office: Office) -> None:
    [user] = [user for user in office.run("users", "--json", "--limit", "0") if user["upn"] == office.alice]
    assert set_blocked(office.site.database, user["id"], True, origin=Origin("test", 1))
    assert office.ask().json()["error_codes"] == [50057]


@pytest.mark.parametrize(
    "changes",
    [{"username": ...}, {"password": ...}, {"device_id": ...}, {"device_id": "laptop"}, {"scope": "x"}],
)
def test_incomplete_requests_are_refused(office: Office, changes: dict[str, Any]) -> None:
    answer = office.ask(**{"otp": "123456", **changes})
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_request", "invalid_scope"}


def test_when_no_domain_controller_answers_nobody_is_blamed(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> PasswordVerdict:
        raise DirectoryError("no answer")

    monkeypatch.setattr("keytrust.registry.sign_in.check_password", away)
    statuses = [office.ask().status_code for _ in range(7)]
    assert statuses == [503] * 7


def test_a_device_is_told_why_it_may_not(office: Office) -> None:
    with pytest.raises(CloudError, match="wrong, or the code was used"):
        Device(LAPTOP).sign_in(office.site.url, "keytrust.local", office.alice, "wrong", office.code())


def test_no_secret_of_a_whole_day_is_in_the_log_or_the_metrics(office: Office) -> None:
    application, secret = add_application(office.site.database, "connector", roles=(READER, ADMINISTRATOR))
    site = replace(office.site, settings=office.site.settings.model_copy(update={"log_requests": True}))
    form = {"grant_type": "client_credentials", "client_id": application.id, "client_secret": str(secret)}
    secrets = {
        "password": PASSWORD,
        "wrong password": "hunter2-hunter2",
        "seed": base64.b32encode(office.secret).decode(),
        "client secret": str(secret),
        "basic": base64.b64encode(f"{application.id}:{secret}".encode()).decode(),
    }
    with process(site) as (server, serving):
        office.site = serving
        code = office.code()
        refused = office.ask(password=secrets["wrong password"], otp=code)
        token = office.ask().json()["access_token"]
        secrets |= {"code": code, "user's token": token}
        site_url = {"scope": f"{serving.url}/.default"}
        url = f"{serving.url}/keytrust.local/oauth2/v2.0/token"
        reader = httpx.post(url, data={**form, **site_url}).json()["access_token"]
        secrets |= {"reader's token": reader, "in the query": "private-value"}
        httpx.post(url, data={"grant_type": "client_credentials", **site_url}, auth=(application.id, str(secret)))
        httpx.post(url, data={**form, **site_url, "client_secret": str(secret) + "x"})
        kid = serving.post(quick_material(1), token).json()["kid"]
        serving.post(quick_material(2), token + "x")
        headers = {"Authorization": f"Bearer {reader}"}
        assert httpx.get(f"{serving.url}/v1.0/users?$filter=id eq 'private-value'", headers=headers).is_success
        methods = f"/v1.0/users/{office.alice}/authentication/windowsHelloForBusinessMethods/{kid}"
        assert httpx.delete(serving.url + methods, headers=headers).status_code == 204
        metrics = httpx.get(f"{serving.url}/metrics").text
        server.send_signal(signal.SIGTERM)
        assert server.stderr is not None
        log = server.stderr.read()
    assert refused.status_code == 400
    events = [json.loads(line) for line in log.splitlines()]
    assert [event["user"] for event in events if event["event"] == "sign-in refused"] == [office.alice]
    assert sum(event["event"] == "request" for event in events) >= 9
    # Six digits may be those of a time or an id: what is searched is what was said, without these.
    numbers = {"timestamp", "request_id", "milliseconds"}
    said = json.dumps([{name: value for name, value in event.items() if name not in numbers} for event in events])
    assert [name for name, value in secrets.items() if value in said] == []
    assert [name for name, value in secrets.items() if name != "code" and value in metrics] == []
    assert office.alice not in metrics


def test_the_domain_controller_is_asked_about_this_account_and_in_no_other_way(lab: Lab, make_user: MakeUser) -> None:
    user, other = make_user(password=PASSWORD), make_user(password=PASSWORD)
    off = make_user(password=PASSWORD, disabled=True)
    from keytrust.config import load
    from keytrust.directory.domain import Domain

    with Domain(load(lab.spec.config).need_directory()) as domain:
        sids = {each.sam: domain.find(each.sam).sid for each in (user, other, off)}
    settings = SignInSettings(servers=(f"dc1.{lab.spec.domain}",), ca_file=lab.spec.ca_cert).directory

    def check(sam: str, password: str, sid: str | None = None) -> PasswordVerdict:
        return check_password(settings, f"{sam}@{lab.spec.domain}", sid or sids[sam], password)

    assert check(user.sam, PASSWORD) is PasswordVerdict.RIGHT
    assert check(user.sam, "wrong") is PasswordVerdict.WRONG
    for password in ("", "\0", "x" * 5000):
        assert check(user.sam, password) is PasswordVerdict.WRONG
    assert check(user.sam, PASSWORD, sids[other.sam]) is PasswordVerdict.WRONG
    assert check(off.sam, PASSWORD) is not PasswordVerdict.RIGHT
    untrusted = SignInSettings(servers=(f"dc1.{lab.spec.domain}",)).directory
    with pytest.raises(DirectoryError, match="certificate"):
        check_password(untrusted, f"{user.sam}@{lab.spec.domain}", sids[user.sam], PASSWORD)
    starttls = SignInSettings(servers=(f"dc1.{lab.spec.domain}",), ca_file=lab.spec.ca_cert, security="starttls")
    assert (
        check_password(starttls.directory, f"{user.sam}@{lab.spec.domain}", sids[user.sam], PASSWORD)
        is PasswordVerdict.RIGHT
    )


def test_there_is_no_sign_in_in_clear_text_or_without_keys() -> None:
    with pytest.raises(ValueError, match="security"):
        SignInSettings.model_validate({"servers": ["dc"], "security": "gssapi"})
    with pytest.raises(ValueError, match="signing_keys"):
        RegistrySettings(database_url="sqlite://", sign_in=SignInSettings(servers=("dc",)))
