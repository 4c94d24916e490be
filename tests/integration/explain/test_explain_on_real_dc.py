"""``keytrust explain`` on a real domain controller: each way in which a sign-in by key fails, and the one it works."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.site import Site

from keytrust.cli.explain_view import explanation_json
from keytrust.cli.wiring import key_source, open_runs
from keytrust.directory.settings import DialectChoice
from keytrust.explain.explainer import Explainer
from keytrust.explain.kdc import KdcLook
from keytrust.explain.model import State
from keytrust.explain.verdict import judge
from keytrust.lab import LabUser
from keytrust.signin import Refusal, sign_in

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]


STATES = {0: State.OK, 2: State.PROBLEM, 3: State.CANNOT_TELL}


def explained(site: Site, name: str, code: int) -> dict[str, Any]:
    """What ``explain --json`` prints for an account, and that it would exit with this code."""
    settings = site.settings
    with open_runs(settings) as (runs, domain):
        source = key_source(settings.need_cloud())
        kdc = KdcLook(settings.signin.kdc_ca_file, site.lab.spec.connector, domain.name.upper())
        explainer = Explainer(domain, source, runs.journal, settings.policy, kdc)
        explanation = explainer.explain(domain.find(name))
    verdict = judge(explanation)
    assert verdict.state is STATES[code], verdict.sentence
    answer: dict[str, Any] = json.loads(json.dumps(explanation_json(explanation, verdict)))
    return answer


def sync(site: Site, dialect: DialectChoice = DialectChoice.AUTO) -> None:
    settings = site.settings
    directory = settings.need_directory().model_copy(update={"dialect": dialect})
    with open_runs(settings.model_copy(update={"directory": directory})) as (runs, _):
        _, report = runs.sync()
    assert report is not None
    assert report.complete


def reason(answer: dict[str, Any]) -> tuple[str, str]:
    """The link that decides at the first domain controller, and what the user is said to see."""
    because = answer["verdict"]["controllers"][0]["because"]
    return because["id"], because["symptom"] or ""


def change(site: Site, name: str, *lines: str) -> None:
    """Change an account with the administrator's tools."""
    body = "-\n".join(f"{line}\n" for line in lines)
    site.lab.apply_ldif(f"dn: {site.account(name).dn}\nchangetype: modify\n{body}-\n\n")


def synced(site: Site, user: LabUser) -> Any:
    key = site.register(site.account(user.sam))
    sync(site)
    return key


def refusal(site: Site, user: LabUser, key: Any) -> Refusal | None:
    """What the domain controller itself says: the judge of what is explained."""
    upn = f"{user.sam}@{site.lab.spec.domain}"
    return sign_in(upn, key, kdc_ca=site.lab.spec.ca_cert, krb5_config=site.lab.spec.krb5_config).refusal


def test_a_user_with_a_synchronized_key_can_sign_in_and_each_link_says_so(site: Site, make_user: MakeUser) -> None:
    user = make_user()
    key = synced(site, user)
    answer = explained(site, user.sam, 0)
    assert refusal(site, user, key) is None
    assert answer["verdict"]["state"] == "ok"
    assert site.lab.spec.dc_host in answer["verdict"]["sentence"]
    (chain,) = answer["keys"]
    registered, acceptable, written = chain["links"]
    assert "from device" in registered["sentence"]
    assert acceptable["state"] == "ok"
    assert site.lab.spec.dc_host in written["sentence"]
    assert "by run" in written["sentence"]
    assert {link["state"] for link in answer["controllers"][0]["links"]} == {"ok"}


def test_a_key_that_was_not_written_yet_is_named_in_the_words_that_the_user_sees(
    site: Site, make_user: MakeUser
) -> None:
    user = make_user()
    site.register(site.account(user.sam))
    answer = explained(site, f"{user.sam}@{site.lab.spec.domain}", 2)
    assert reason(answer)[0] == "written"
    assert "temporarily unavailable" in reason(answer)[1]
    shown = site.run("explain", user.sam)
    assert shown.returncode == 2
    assert "not written to Active Directory yet" in shown.stdout


def test_a_user_who_never_enrolled_or_is_not_in_the_cloud_is_told_apart(site: Site, make_user: MakeUser) -> None:
    unknown, keyless = make_user(), make_user()
    site.users[keyless.sam] = site.cloud_user(site.account(keyless.sam))
    site.save()
    assert reason(explained(site, unknown.sam, 2))[0] == "matched"
    assert reason(explained(site, keyless.sam, 2))[0] == "enrolled"


def test_a_conflict_between_the_directories_is_told(site: Site, make_user: MakeUser) -> None:
    user = make_user()
    site.register(site.account(user.sam))
    site.users[user.sam]["onPremisesSecurityIdentifier"] = "S-1-5-21-1-2-3-4"
    site.save()
    answer = explained(site, user.sam, 2)
    assert reason(answer)[0] == "matched"
    assert answer["user"][0]["evidence"]["conflict"] == "sid-differs"


def test_a_refused_key_is_told_with_the_rule(site: Site, make_user: MakeUser) -> None:
    admin = make_user(admin_count=True)
    site.register(site.account(admin.sam))
    answer = explained(site, admin.sam, 2)
    assert reason(answer)[0] == "acceptable"
    assert "privileged" in answer["verdict"]["sentence"]

    first, second = make_user(), make_user()
    key = synced(site, first)
    site.register(site.account(second.sam), key)
    assert "another account" in explained(site, second.sam, 2)["verdict"]["sentence"]


def test_an_account_out_of_scope_is_told(site: Site, make_user: MakeUser) -> None:
    user = make_user()
    site.register(site.account(user.sam))
    narrow = '\n[directory.scope]\ngroups = ["Domain Admins"]\n'
    site.config.write_text(site.config.read_text(encoding="utf-8") + narrow, encoding="utf-8")
    assert reason(explained(site, user.sam, 2))[0] == "scope"


def test_a_value_that_samba_ignores_is_told_although_it_is_there(site: Site, make_user: MakeUser) -> None:
    """DESIGN, section 4: the 15 bytes of CustomKeyInformation that Entra Connect writes."""
    user = make_user()
    key = site.register(site.account(user.sam))
    sync(site, DialectChoice.ENTRA)
    assert refusal(site, user, key) is Refusal.CLIENT_NOT_TRUSTED
    answer = explained(site, user.sam, 2)
    assert reason(answer)[0] == "replicated"
    assert "CustomKeyInformation of 15 bytes" in answer["verdict"]["sentence"]


def test_a_key_that_somebody_removed_after_it_was_written_is_told(site: Site, make_user: MakeUser) -> None:
    user = make_user()
    synced(site, user)
    change(site, user.sam, "delete: msDS-KeyCredentialLink")
    answer = explained(site, user.sam, 2)
    assert reason(answer)[0] == "written"
    assert "somebody removed it" in answer["verdict"]["sentence"]


@pytest.mark.parametrize(
    ("change_to", "words", "refused"),
    [
        ("userAccountControl: 514", "disabled", Refusal.CLIENT_REVOKED),
        ("accountExpires: 130000000000000000", "expired", Refusal.CLIENT_REVOKED),
        ("logonHours:: AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "logon hours", Refusal.CLIENT_REVOKED),
        ("pwdLastSet: 0", "password must be changed", Refusal.PASSWORD_EXPIRED),
    ],
)
def test_an_account_that_may_not_sign_in_is_told_and_the_domain_controller_agrees(
    site: Site, make_user: MakeUser, change_to: str, words: str, refused: Refusal
) -> None:
    user = make_user()
    key = synced(site, user)
    change(site, user.sam, f"replace: {change_to.split(':', maxsplit=1)[0]}\n{change_to}")
    answer = explained(site, user.sam, 2)
    assert reason(answer)[0] == "account"
    assert words in answer["verdict"]["sentence"]
    assert refusal(site, user, key) is refused


def test_a_cloud_that_does_not_answer_leaves_it_open_for_a_key_that_is_not_there(
    site: Site, make_user: MakeUser
) -> None:
    user = make_user()
    key = synced(site, user)
    site.cloud.write_text("<html>")
    assert explained(site, user.sam, 0)["keys"][0]["links"][0]["state"] == "cannot tell"
    assert refusal(site, user, key) is None
    nobody = make_user()
    assert reason(explained(site, nobody.sam, 3))[0] == "matched"


def test_an_account_that_does_not_exist_is_an_error(site: Site) -> None:
    done = site.run("explain", "nobody-of-this-name")
    assert done.returncode == 1
    assert "has no account" in done.stderr
