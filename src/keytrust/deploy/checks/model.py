"""What a check is and what comes of one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.world import Facts


class Verdict(StrEnum):
    """What is to be said of something that was looked at."""

    PASS = "pass"  # noqa: S105 - a verdict, not a secret
    WARN = "warn"
    CANNOT_TELL = "cannot tell"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        """0 is good. Not knowing is worse than a warning: it may hide a failure."""
        return _SEVERITY[self]


_SEVERITY = {verdict: number for number, verdict in enumerate(Verdict)}


class Section(StrEnum):
    """The pages of the deployment guide, by their titles there."""

    PREREQUISITES = "Prerequisites"
    BASELINE = "New installation baseline"
    SYNCHRONIZATION = "Directory synchronization"
    DEVICES = "Device registration"
    ACTIVE_DIRECTORY = "Active Directory settings"
    PERMISSIONS = "Directory synchronization settings"
    PKI = "PKI settings"
    POLICY = "Policy settings"
    SIGN_IN = "Sign-in and provision"
    ADEQUATE = "Adequate domain controllers"
    ISSUES = "Known issues"

    @property
    def page(self) -> str:
        """The file of the page in the public documentation of Windows Hello for Business."""
        return _PAGES[self]


_PAGES = {
    Section.PREREQUISITES: "hello-hybrid-key-trust-prereqs.md",
    Section.BASELINE: "hello-hybrid-key-new-install.md",
    Section.SYNCHRONIZATION: "hello-hybrid-key-trust-dirsync.md",
    Section.DEVICES: "hello-hybrid-key-trust-devreg.md",
    Section.ACTIVE_DIRECTORY: "hello-hybrid-key-whfb-settings-ad.md",
    Section.PERMISSIONS: "hello-hybrid-key-whfb-settings-dir-sync.md",
    Section.PKI: "hello-hybrid-key-whfb-settings-pki.md",
    Section.POLICY: "hello-hybrid-key-whfb-settings-policy.md",
    Section.SIGN_IN: "hello-hybrid-key-whfb-provision.md",
    Section.ADEQUATE: "hello-adequate-domain-controllers.md",
    Section.ISSUES: "hello-deployment-issues.md",
}


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one thing, and what that means.

    Attributes:
        verdict: What it means.
        seen: The evidence, in words.
        subject: Of what: a domain controller, a site, an account; empty for the domain as a whole.
    """

    verdict: Verdict
    seen: str
    subject: str = ""


def passed(seen: str, subject: str = "") -> Observation:
    """Something is as it should be."""
    return Observation(Verdict.PASS, seen, subject)


def warning(seen: str, subject: str = "") -> Observation:
    """Something works and should be otherwise."""
    return Observation(Verdict.WARN, seen, subject)


def failed(seen: str, subject: str = "") -> Observation:
    """Something keeps key trust from working, or makes it unsafe."""
    return Observation(Verdict.FAIL, seen, subject)


def cannot_tell(why: str | Unread, subject: str = "") -> Observation:
    """Something could not be looked at."""
    return Observation(Verdict.CANNOT_TELL, why.why if isinstance(why, Unread) else why, subject)


Judge = Callable[[Facts], Iterable[Observation]]


@dataclass(frozen=True, slots=True)
class Check:
    """One item of the guide's checklists.

    Attributes:
        id: Stable name, for ``--only`` and for scripts.
        section: The page of the guide that asks for it.
        title: What is checked, as a short statement that is true when all is well.
        why: What happens when it is not so.
        fix: What to do then; a command of keytrust where there is one.
        judge: The judgement. It says nothing when there was nothing to look at, which does not count as passed.
    """

    id: str
    section: Section
    title: str
    why: str
    fix: str
    judge: Judge


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a check.

    Attributes:
        check: Which.
        observations: Worst first; never empty.
    """

    check: Check
    observations: tuple[Observation, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of what was seen."""
        return self.observations[0].verdict


def examine(checks: Iterable[Check], facts: Facts) -> tuple[Result, ...]:
    """Judge the facts by each check."""
    return tuple(_result(check, facts) for check in checks)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of them; of none, that nothing can be told."""
    return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.CANNOT_TELL)


def _result(check: Check, facts: Facts) -> Result:
    seen = list(check.judge(facts)) or [cannot_tell("there was nothing to look at")]
    # A stable sort: within one verdict, in the order in which they were seen.
    return Result(check, tuple(sorted(seen, key=lambda observation: -observation.verdict.severity)))
