"""Putting an explanation together: cloud, journal, policy and every domain controller are asked about one user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from keytrust.cloud.source import NGC, CloudUser, KeySource, Reported
from keytrust.directory.account import Account
from keytrust.directory.domain import Domain
from keytrust.errors import CloudError
from keytrust.explain.ask import KdcLinks, ask_controllers
from keytrust.explain.controllers import ControllerFacts, chain
from keytrust.explain.keys import Holding, key_chains
from keytrust.explain.lookup import holders_of, users_for
from keytrust.explain.model import Explanation, Link, State, Symptom
from keytrust.sync.journal import Journal
from keytrust.sync.match import CloudIndex
from keytrust.sync.model import Conflict, Context, Plan
from keytrust.sync.planner import make_plan
from keytrust.sync.policy import Allow, Policy
from keytrust.sync.scope import scope_of


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains accounts of one domain.

    Attributes:
        domain: Where they are.
        source: Where their keys are registered.
        journal: What keytrust did.
        policy: What it may do.
        kdc: Looks at a domain controller's KDC.
        service: Tells what the continuous service has to do with an account, given by its objectGUID.
    """

    domain: Domain
    source: KeySource
    journal: Journal
    policy: Policy
    kdc: KdcLinks
    service: Callable[[bytes], tuple[Link, ...]] = lambda _: ()

    def explain(self, account: Account) -> Explanation:
        """Explain one account.

        Raises:
            DirectoryError: the directory cannot be read at all.
        """
        now = datetime.now(UTC)
        facts = ask_controllers(self.domain, account.guid, self.kdc)
        user, links, plan = self._cloud_side(account, now)
        keys = key_chains(
            user,
            [_holding(each) for each in facts],
            refusals=[r for r in plan.refusals if r.account.guid == account.guid] if plan else (),
            entries=self.journal.entries(guid=account.guid),
            undecided=next((link for link in links if link.state is not State.OK), None),
        )
        return Explanation(
            account.name,
            account.upn,
            account.dn,
            self.domain.name,
            now,
            (*links, *self.service(account.guid)),
            keys,
            tuple(chain(each, now=now) for each in facts),
        )

    def _cloud_side(self, account: Account, now: datetime) -> tuple[CloudUser | None, tuple[Link, ...], Plan | None]:
        try:
            users = users_for(self.source, account)
        except CloudError as error:
            return None, (Link("matched", State.CANNOT_TELL, _sentence(error.message), error.remedy),), None
        found = CloudIndex(users).match(account, need_sid=Allow.UNCORROBORATED not in self.policy.allow)
        if not isinstance(found, CloudUser):
            return None, (_unmatched(found, account),), None
        scope = scope_of(self.domain, [account.guid])
        outside = () if scope.includes(account.guid) else (_out_of_scope(),)
        wanted = {key.key_id for key in found.keys.keys if key.key_type == NGC}
        others = holders_of(self.domain, wanted) if wanted else []
        plan = make_plan(
            users,
            [account, *(other for other in others if other.guid != account.guid)],
            policy=self.policy,
            wrote=self.journal.wrote_to,
            dialect=self.domain.dialect,
            context=Context(self.domain.name, self.domain.sid, self.source.name, now),
            scope=scope,
        )
        return found, (_matched(found, account), *outside, _enrolled(found)), plan


def _unmatched(conflict: Conflict | None, account: Account) -> Link:
    if conflict is not None:
        return Link(
            "matched",
            State.PROBLEM,
            conflict.sentence,
            "Correct the side that is wrong; until then nothing is written or removed for this account.",
            Symptom.NO_KEY,
            (("conflict", conflict.code.value), ("cloudUsers", ", ".join(conflict.cloud_users))),
        )
    if account.computer:
        return Link("matched", State.PROBLEM, "This is a computer, which no cloud user can be.")
    return Link(
        "matched",
        State.PROBLEM,
        "The cloud has no user with this account's source anchor or SID.",
        "See that directory synchronization covers the account.",
        Symptom.NO_KEY,
    )


def _matched(user: CloudUser, account: Account) -> Link:
    anchor = "mS-DS-ConsistencyGuid" if account.consistency_guid else "objectGUID"
    corroborated = "and SID" if user.sid else "alone (the cloud reports no SID)"
    return Link(
        "matched",
        State.OK,
        f"Is the cloud user {user.upn or user.id}: the source anchor ({anchor}) {corroborated} agree.",
        evidence=(("cloudUser", user.id), ("sourceAnchor", account.source_anchor.hex()), ("sid", account.sid)),
    )


def _out_of_scope() -> Link:
    return Link(
        "scope",
        State.PROBLEM,
        "The account is not in the scope that keytrust is configured to work on, and gets no key.",
        "Make it a member of the group, or widen [directory.scope].",
        Symptom.NO_KEY,
    )


def _enrolled(user: CloudUser) -> Link:
    number = sum(key.key_type == NGC for key in user.keys.keys)
    keys = f"{number} Windows Hello for Business key{'' if number == 1 else 's'}"
    if not isinstance(user.keys, Reported):
        return Link("enrolled", State.CANNOT_TELL, f"The cloud did not tell the user's keys: {user.keys.reason}.")
    if number:
        return Link("enrolled", State.OK, f"{keys} registered.")
    return Link(
        "enrolled",
        State.PROBLEM,
        "No Windows Hello for Business key is registered for the user.",
        "Let the user set up Windows Hello on the device; dsregcmd /status shows there what is lacking.",
        Symptom.NO_KEY,
    )


def _holding(facts: ControllerFacts) -> Holding:
    samba = facts.controller.samba if facts.controller else False
    return Holding(facts.host, samba, facts.keys, facts.fault or "it does not know the account.")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
