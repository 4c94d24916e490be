"""Trying a sign-in with a key that nobody has registered: what the KDC says to it tells whether it does PKINIT."""

from __future__ import annotations

from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from keytrust.deploy.checks.facts import KeyTrial, Unread
from keytrust.errors import SigninError
from keytrust.private_folder import private_folder
from keytrust.signin.certificate import Chain, make_chain
from keytrust.signin.kinit import run_kinit
from keytrust.signin.refusal import refused_with

# Asks this one KDC and nobody else. Its certificate is not judged: it would come after the refusal that is wanted.
_ONE_KDC = """\
[libdefaults]
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1

[realms]
    {realm} = {{
        kdc = {host}
    }}
"""


class KeyNobodyHas:
    """A new key with which one account tries to sign in at domain controllers. It counts as no bad password.

    Args:
        name: The account, one that may sign in.
        realm: Its realm.
        timeout: Seconds for one domain controller.
    """

    def __init__(self, name: str, realm: str, timeout: float) -> None:
        self._principal = f"{name}@{realm}"
        self._timeout = timeout

    def try_at(self, host: str) -> KeyTrial | Unread:
        """What the KDC of ``host`` says."""
        if not host.isprintable() or set(host) & set(" {}[]#;\"'"):
            return Unread("its name cannot be put into a Kerberos configuration")
        realm = self._principal.rpartition("@")[2]
        key, chain = self._credential
        try:
            with private_folder("doctor") as folder:
                config = folder / "krb5.conf"
                config.write_text(_ONE_KDC.format(realm=realm, host=host), encoding="utf-8")
                done = run_kinit(
                    self._principal,
                    enterprise=False,
                    key=key,
                    chain=chain,
                    kdc_ca=b"",
                    krb5_config=config,
                    timeout=self._timeout,
                )
        except (SigninError, OSError) as error:
            return Unread(error.message if isinstance(error, SigninError) else str(error))
        if done.status == 0:
            return KeyTrial(None)
        code = refused_with(done.trace)
        return KeyTrial(code) if code is not None else Unread(done.said or "kinit said nothing")

    @cached_property
    def _credential(self) -> tuple[RSAPrivateKey, Chain]:
        key = generate_private_key(65537, 2048)
        return key, make_chain(self._principal.lower(), key.public_key())
