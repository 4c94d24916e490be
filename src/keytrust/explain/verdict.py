"""From the chains to one answer: where the user can sign in, and if not, because of which link. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from keytrust.explain.model import ControllerChain, Explanation, KeyChain, Link, State

_SEVERITY = {State.OK: 0, State.CANNOT_TELL: 1, State.PROBLEM: 2}
NO_KEY = "no-key"


@dataclass(frozen=True, slots=True)
class At:
    """The answer for one domain controller.

    Attributes:
        host: Its DNS name.
        state: OK when the user can sign in there.
        because: The link that decides; None when it is OK.
    """

    host: str
    state: State
    because: Link | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Attributes:
        state: OK when the user can sign in at every domain controller, PROBLEM when at one or more it is certain that
            not, else CANNOT_TELL.
        sentence: For people.
        at: For each domain controller.
    """

    state: State
    sentence: str
    at: tuple[At, ...]


def worst(links: Iterable[Link]) -> Link | None:
    """The first of the most severe links; None when there is none."""
    return max(links, key=lambda link: _SEVERITY[link.state], default=None)


def judge(explanation: Explanation) -> Verdict:
    """Work out the answer."""
    at = tuple(_at(explanation, controller) for controller in explanation.controllers)
    who = explanation.upn or explanation.name
    able = [each.host for each in at if each.state is State.OK]
    unable = [each for each in at if each.state is State.PROBLEM]
    unsure = [each for each in at if each.state is State.CANNOT_TELL]
    if not at:
        return Verdict(State.CANNOT_TELL, f"{who}: no domain controller of {explanation.domain} is known.", at)
    if not unable and not unsure:
        where = "every domain controller" if len(at) > 1 else "the one domain controller"
        return Verdict(State.OK, f"{who} can sign in by key, at {where} ({', '.join(able)}).", at)
    parts = [f"can sign in by key at {', '.join(able)}"] if able else []
    parts += [f"cannot sign in by key{_at_hosts(hosts, at)}: {why}" for why, hosts in _by_reason(unable)]
    parts += [
        f"may or may not be able to sign in by key{_at_hosts(hosts, at)}: {why}" for why, hosts in _by_reason(unsure)
    ]
    state = State.PROBLEM if unable else State.CANNOT_TELL
    return Verdict(state, f"{who} " + " It ".join(f"{part.rstrip('.')}." for part in parts), at)


def _at(explanation: Explanation, controller: ControllerChain) -> At:
    host = controller.host
    # What concerns the account or the controller stops every key; after that it is enough that one key passes.
    general = worst(controller.links)
    if general is not None and general.state is State.PROBLEM:
        return At(host, State.PROBLEM, general)
    keys = [(key, key.at[host]) for key in explanation.keys if host in key.at]
    if not keys:
        lacking = worst(explanation.user)
        state = lacking.state if lacking is not None and lacking.state is not State.OK else State.PROBLEM
        return At(host, state, lacking)
    key, arrived = min(keys, key=lambda pair: _SEVERITY[pair[1].state])
    if arrived.state is State.PROBLEM:
        return At(host, State.PROBLEM, _cause(explanation, key, arrived))
    undecided = worst([arrived, *([general] if general is not None else [])])
    if undecided is not None and undecided.state is State.CANNOT_TELL:
        return At(host, State.CANNOT_TELL, undecided)
    return At(host, State.OK, None)


def _cause(explanation: Explanation, key: KeyChain, arrived: Link) -> Link:
    """Why a key is not on a domain controller: the earliest broken link before that."""
    for link in (*explanation.user, *key.links):
        if link.state is State.PROBLEM:
            return link
    return arrived


def _by_reason(found: list[At]) -> list[tuple[str, list[str]]]:
    reasons: dict[str, list[str]] = {}
    for each in found:
        sentence = each.because.sentence if each.because is not None else "no key is on the account."
        reasons.setdefault(sentence, []).append(each.host)
    return list(reasons.items())


def _at_hosts(hosts: list[str], at: tuple[At, ...]) -> str:
    return "" if len(hosts) == len(at) else f" at {', '.join(hosts)}"
