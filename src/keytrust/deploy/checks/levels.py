"""Functional levels and schema. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keytrust.deploy.checks.facts import Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed
from keytrust.deploy.checks.world import Facts
from keytrust.directory.security.writers import KEY_LINK_GUID

LEVEL_2008_R2 = 4
SCHEMA_2016 = 87
_LEVELS = {
    0: "2000",
    1: "2003 mixed",
    2: "2003",
    3: "2008",
    4: "2008 R2",
    5: "2012",
    6: "2012 R2",
    7: "2016",
    10: "2025",
}
_SCHEMAS = {13: "2000", 30: "2003", 31: "2003 R2", 44: "2008", 47: "2008 R2", 56: "2012", 69: "2012 R2", 87: "2016",
            88: "2019", 91: "2025"}  # fmt: skip


def level_name(level: int) -> str:
    """A functional level as people call it, [MS-ADTS] 6.1.4.2."""
    return f"{level} ({_LEVELS[level]})" if level in _LEVELS else str(level)


def domain_level(facts: Facts) -> Iterable[Observation]:
    """The domain's functional level."""
    domain = facts.domain
    return [cannot_tell(domain) if isinstance(domain, Unread) else _level(domain.level)]


def forest_level(facts: Facts) -> Iterable[Observation]:
    """The forest's functional level."""
    domain = facts.domain
    return [cannot_tell(domain) if isinstance(domain, Unread) else _level(domain.forest_level)]


def schema_version(facts: Facts) -> Iterable[Observation]:
    """The schema's version."""
    domain = facts.domain
    if isinstance(domain, Unread):
        return [cannot_tell(domain)]
    version = domain.schema_version
    if version is None:
        return [cannot_tell("the schema does not show its objectVersion")]
    named = f"version {version}" + (f" ({_SCHEMAS[version]})" if version in _SCHEMAS else "")
    return [passed(named) if version >= SCHEMA_2016 else failed(named)]


def schema_attribute(facts: Facts) -> Iterable[Observation]:
    """Whether the attribute is there, and is the right one."""
    domain = facts.domain
    if isinstance(domain, Unread):
        return [cannot_tell(domain)]
    if domain.key_link is None:
        return [failed("the schema has no msDS-KeyCredentialLink")]
    if domain.key_link != str(KEY_LINK_GUID):
        return [failed(f"msDS-KeyCredentialLink has the schemaIDGUID {domain.key_link}, not {KEY_LINK_GUID}")]
    return [passed(f"msDS-KeyCredentialLink, {domain.key_link}")]


def _level(level: int) -> Observation:
    return passed(level_name(level)) if level >= LEVEL_2008_R2 else failed(level_name(level))


CHECKS = (
    Check(
        "domain-level",
        Section.PREREQUISITES,
        "The domain functional level is 2008 R2 or later",
        "Below it, domain controllers that know key trust cannot all be used as such.",
        "Set-ADDomainMode, or samba-tool domain level raise --domain-level=2008_R2",
        domain_level,
    ),
    Check(
        "forest-level",
        Section.PREREQUISITES,
        "The forest functional level is 2008 R2 or later",
        "It bounds the level of every domain of the forest.",
        "Set-ADForestMode, or samba-tool domain level raise --forest-level=2008_R2",
        forest_level,
    ),
    Check(
        "schema-version",
        Section.PREREQUISITES,
        "The schema is that of Windows Server 2016 or later",
        "Older schemas lack the attributes of key trust.",
        "adprep /forestprep from Windows Server 2016 or later; samba-tool domain schemaupgrade on Samba",
        schema_version,
    ),
    Check(
        "schema-attribute",
        Section.PREREQUISITES,
        "The schema has msDS-KeyCredentialLink",
        "It is where a user's keys are; without it none can be written.",
        "adprep /forestprep from Windows Server 2016 or later; samba-tool domain schemaupgrade on Samba",
        schema_attribute,
    ),
)
