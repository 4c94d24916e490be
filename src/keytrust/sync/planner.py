"""The plan: a pure function of registered keys, directory values and policy.

Accounts are streamed and only what must be remembered of each is: a domain of any size costs one pass. Whether a key
sits on another account is known only when all accounts of all domains have been seen: they are candidates till then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from keytrust.cloud.source import NGC, CloudUser, Reported
from keytrust.credential import Dialect
from keytrust.directory.account import Account
from keytrust.sync.candidate import Candidate, Judge
from keytrust.sync.match import CloudIndex
from keytrust.sync.model import (
    AccountRef,
    Action,
    Census,
    Change,
    Conflict,
    ConflictCode,
    Context,
    Plan,
    Refusal,
)
from keytrust.sync.policy import Allow, Policy
from keytrust.sync.scope import EVERYBODY, Scope
from keytrust.sync.seen import Seen
from keytrust.sync.stored import StoredKey

Wrote = Callable[[bytes, Sequence[bytes]], Mapping[bytes, str]]
"""Given an account's GUID and stored values: the runs that wrote them, by the journal; only of those that one wrote."""

Earlier = Callable[[Sequence[bytes]], Mapping[tuple[bytes, bytes], bytes]]
"""Given objectGUIDs: the value that was last written to each account for each key, by objectGUID and KeyID."""


def make_plan(
    users: Iterable[CloudUser],
    accounts: Iterable[Account],
    *,
    policy: Policy,
    wrote: Wrote,
    dialect: Dialect,
    context: Context,
    allow_removals: int | None = None,
    scope: Scope = EVERYBODY,
    earlier: Earlier = lambda _: {},
) -> Plan:
    """Work out every change that brings the directory in step with the registered keys, and nothing else.

    Args:
        users: All cloud users. An exception of the source passes through: half a read makes no plan.
        accounts: All accounts of the domain, each with all its values.
        policy: What the operator allows.
        wrote: The journal's knowledge of what is ours.
        dialect: The form in which new values are written.
        context: Where and when; its time stands in for the creation time of keys of which the cloud tells none.
        allow_removals: The limit on removals that a person set for this run, instead of the policy's.
        scope: Which accounts are worked on. All are looked at: a key on one that is not counts as taken (rule 9).
        earlier: What was written before. A key that is written again, since the domain controller asked has not heard
            of it yet, gets the same creation time where the cloud tells none: the two values must become one.
    """
    planner = Planner(
        CloudIndex(users),
        Seen(),
        policy=policy,
        wrote=wrote,
        dialect=dialect,
        context=context,
        scope=scope,
        earlier=earlier,
    )
    for account in accounts:
        planner.take(account)
    return planner.finish(allow_removals)


class Planner:
    """Plans for one domain; ``make_plan`` is its plain use. The planners of several domains share what they know."""

    def __init__(
        self,
        cloud: CloudIndex,
        seen: Seen,
        *,
        policy: Policy,
        wrote: Wrote,
        dialect: Dialect,
        context: Context,
        scope: Scope = EVERYBODY,
        earlier: Earlier = lambda _: {},
    ) -> None:
        """See ``make_plan``; ``seen`` is shared by the planners of all domains."""
        self._cloud = cloud
        self._seen = seen
        self._policy = policy
        self._wrote = wrote
        self._dialect = dialect
        self._context = context
        self._scope = scope
        self._earlier = earlier
        self._need_sid = Allow.UNCORROBORATED not in policy.allow
        self._census = Census(cloud_users=cloud.users, cloud_only=cloud.cloud_only)
        self._claims: list[tuple[AccountRef, bytes]] = []
        self._candidates: list[Candidate] = []
        self._removals: list[Change] = []
        self._conflicts: list[Conflict] = []
        self._matched_with_keys = 0

    # -- one account at a time ----------------------------------------------------------------------------------

    def take(self, account: Account) -> None:
        """Look at one account. What can be said of it alone is said now."""
        self._census.accounts += 1
        stored = [StoredKey.read(raw) for raw in account.values]
        self._count(stored)
        self._seen.hold(account.guid, stored)
        match = self._cloud.match(account, need_sid=self._need_sid)
        if match is not None:
            ref = AccountRef.of(account)
            only = self._only_claimant(ref, account.source_anchor)
            if isinstance(match, Conflict):
                if self._scope.includes(account.guid):
                    self._conflicts.append(match)
            elif only:
                if self._scope.includes(account.guid):
                    self._compare(account, ref, stored, match)
                else:
                    self._leave_out(account, ref, stored, match)
                return
        self._census.foreign += sum(value.credential is not None for value in stored)

    def _count(self, stored: list[StoredKey]) -> None:
        for value in stored:
            self._census.unreadable += value.credential is None
            self._census.cloud_origin += value.cloud_origin

    def _only_claimant(self, account: AccountRef, anchor: bytes) -> bool:
        """Whether no account seen before, in any domain, has this one's source anchor."""
        if self._cloud.anchored(anchor) is None:
            return True
        self._claims.append((account, anchor))
        return self._seen.claim(anchor, account)

    def _compare(self, account: Account, ref: AccountRef, stored: list[StoredKey], user: CloudUser) -> None:
        self._census.matched += 1
        self._matched_with_keys += bool(user.keys.keys)
        registered = {key.key_id: key for key in user.keys.keys}
        serving = {value.key_id for value in stored if value.serves}
        for key_id, key in registered.items():
            if key.key_type == NGC:
                self._census.registered += 1
                self._census.present += key_id in serving
                if key_id not in serving:
                    self._candidates.append(
                        Candidate(ref, key, account.protected, account.enabled is not None, account.upn)
                    )
        if not isinstance(user.keys, Reported):
            self._census.unknown += 1
        surplus = [value for value in stored if value.key_id not in registered]
        runs = self._runs(account, surplus) if isinstance(user.keys, Reported) else {}
        for value in surplus:
            owned = self._removal_reason(value, runs) if isinstance(user.keys, Reported) else None
            if owned is None or value.key_id is None:
                self._census.foreign += value.credential is not None
            else:
                self._removals.append(Change(Action.REMOVE, ref, value.raw, value.key_id, owned))

    def _leave_out(self, account: Account, ref: AccountRef, stored: list[StoredKey], user: CloudUser) -> None:
        """An account out of scope keeps everything, unless the operator wants what we wrote there removed."""
        self._census.out_of_scope += 1
        self._matched_with_keys += bool(user.keys.keys)
        leaving = self._scope.remove_on_leave and isinstance(user.keys, Reported)
        runs = self._runs(account, stored) if leaving else {}
        for value in stored:
            run = runs.get(value.raw)
            if run is None or value.key_id is None:
                self._census.foreign += value.credential is not None
            else:
                reason = f"the account is not in scope any more; written by run {run}"
                self._removals.append(Change(Action.REMOVE, ref, value.raw, value.key_id, reason))

    def _runs(self, account: Account, values: Sequence[StoredKey]) -> Mapping[bytes, str]:
        """Those that wrote these values of an account."""
        return self._wrote(account.guid, [value.raw for value in values]) if values else {}

    def _removal_reason(self, value: StoredKey, runs: Mapping[bytes, str]) -> str | None:
        """Why a value that is not registered may be removed; None when it is not ours (rule 3)."""
        if run := runs.get(value.raw):
            return f"no longer registered; written by run {run}"
        if self._policy.adopt and value.cloud_origin:
            return "not registered; cloud-origin value, adopted"
        return None

    # -- when all have been seen --------------------------------------------------------------------------------

    def finish(self, allow_removals: int | None, unread: tuple[str, ...] = ()) -> Plan:
        """The plan, when the accounts of all domains have been taken but those of ``unread``."""
        additions: list[Change] = []
        refusals: list[Refusal] = []
        ambiguous = self._report_shared_anchors()
        candidates = [each for each in self._candidates if each.account.guid not in ambiguous]
        earlier = self._earlier(list({each.account.guid for each in candidates if each.key.created is None}))
        judge = Judge(self._cloud, self._seen, self._policy, self._dialect, self._context.made_at)
        for candidate in candidates:
            outcome = judge.addition(candidate, earlier.get((candidate.account.guid, candidate.key.key_id)))
            if isinstance(outcome, Change):
                additions.append(outcome)
            else:
                refusals.append(outcome)
        removals = [change for change in self._removals if change.account.guid not in ambiguous]
        held_because = self._held_because(len(removals), allow_removals)
        self._census.unmatched_users = max(0, self._cloud.anchored_with_keys() - self._matched_with_keys)
        return Plan(
            context=self._context,
            changes=(*additions, *(() if held_because else removals)),
            held=tuple(removals) if held_because else (),
            held_because=held_because,
            conflicts=tuple(self._conflicts),
            refusals=tuple(refusals),
            census=self._census,
            unread=unread,
        )

    def _report_shared_anchors(self) -> set[bytes]:
        """Add a conflict for each account whose source anchor another one has too, here or elsewhere; their GUIDs."""
        ambiguous: set[bytes] = set()
        reported = {conflict.account.guid for conflict in self._conflicts}
        for account, anchor in self._claims:
            other = self._seen.rival(anchor, account)
            user = self._cloud.anchored(anchor)
            if other is None or user is None:
                continue
            ambiguous.add(account.guid)
            if account.guid not in reported:
                name = user.upn or user.id
                where = f"{other.name} ({other.dn})"
                sentence = f"{account.name}: {where} has the same source anchor, and both seem to be {name}."
                self._conflicts.append(Conflict(ConflictCode.ANCHOR_SHARED_IN_DIRECTORY, account, (name,), sentence))
        return ambiguous

    def _held_because(self, removals: int, allow_removals: int | None) -> str:
        limit = self._policy.removals_allowed(self._census.cloud_origin, allow_removals)
        if removals > limit:
            return (
                f"{removals} removals exceed the limit of {limit} for one run"
                f" ({self._census.cloud_origin} cloud-origin keys in the domain), so none is made"
            )
        if removals > 1 and self._cloud.keys == 0 and allow_removals is None:
            return (
                f"the cloud reports not one key for anybody, which is taken for a fault: {removals} removals not made"
            )
        return ""
