"""The world in which documented commands run: a site on the lab, and alice, who has registered a key."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from documents import Command
from tests.support.site import Site

from keytrust.cli.wiring import open_runs
from keytrust.lab import LabUser

MakeUser = Callable[..., LabUser]


class World:
    """A page's commands see one world, from its first to its last."""

    def __init__(self, site: Site, make_user: MakeUser) -> None:
        self.site = site
        self._make_user = make_user
        self.alice = make_user().sam
        key = site.register(site.account(self.alice))
        (site.folder / "alice.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        adopting = site.config.read_text(encoding="utf-8") + "\n[policy]\nadopt = true\n"
        (site.folder / "adopting.toml").write_text(adopting, encoding="utf-8")

    def run(self, command: Command) -> tuple[int, str]:
        """Run a command with this world's names in place of the page's; its exit code, and all that it wrote."""
        done = self.site.run(*(self._ours(word) for word in command.words))
        return done.returncode, done.stdout + done.stderr

    def _ours(self, word: str) -> str:
        if word in ("alice", "alice@corp.example"):
            return word.replace("alice", self.alice).replace("corp.example", self.site.lab.spec.domain)
        return str(self.site.folder / word) if re.fullmatch(r"[\w-]+\.(json|toml|pem)", word) else word

    # -- what a page may say before a block: "given: …" -----------------------------------------------------------

    def bring_about(self, state: str) -> None:
        """Bring the world into a state that a page names."""
        STATES[state](self)

    def add_key(self) -> None:
        self._sync()

    def revoke_three_of_four(self) -> None:
        users = [self._make_user().sam for _ in range(4)]
        for user in users:
            self.site.register(self.site.account(user))
        self._sync()
        for user in users[:3]:
            self._revoke(user)

    def kill_run(self) -> None:
        with open_runs(self.site.settings) as (runs, domain):
            plan = runs.plan()
            assert plan.changes, "there is something to be killed in the middle of"
            host = domain.controller.host
            run = runs.journal.start_run(
                "sync", domain=domain.name, domain_sid=domain.sid, server=host, source="", operator="test"
            )
            runs.journal.intend(run, host, plan.changes)

    def lose_journal(self) -> None:
        user = self._make_user().sam
        self.site.register(self.site.account(user))
        self._sync()
        self._revoke(user)
        for file in self.site.folder.glob("keytrust.db*"):
            file.unlink()

    def alter_journal(self) -> None:
        with sqlite3.connect(self.site.folder / "keytrust.db") as connection:
            changed = connection.execute("UPDATE journal SET reason = 'another' WHERE seq = 1").rowcount
        connection.close()
        assert changed == 1

    def _sync(self) -> None:
        done = self.site.run("sync")
        assert done.returncode == 0, done.stdout + done.stderr

    def _revoke(self, user: str) -> None:
        self.site.users[user]["deviceKeys"].clear()
        self.site.save()


STATES = {
    "a run has added a key": World.add_key,
    "the keys of four users are in place, and three of them are revoked": World.revoke_three_of_four,
    "a run was killed between its journal and the directory": World.kill_run,
    "a revoked key is in place and the journal is lost": World.lose_journal,
    "a row of the journal was altered": World.alter_journal,
}
