"""From the configuration to the objects that do the work."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from keytrust.cloud.credentials import application_tokens
from keytrust.cloud.file import FileSource
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.limits import Limits
from keytrust.cloud.retry import RetryPolicy
from keytrust.cloud.settings import CloudKind, CloudSettings
from keytrust.cloud.source import KeySource
from keytrust.cloud.tokens import TokenFile
from keytrust.config import Settings
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import ConfigError, DirectoryError, KeytrustError
from keytrust.store.database import open_store, opened_store
from keytrust.sync.estate import Estate
from keytrust.sync.joint_plan import Member
from keytrust.sync.runs import Runs

_AT_ONCE = 8
"""Domains signed in to at the same time."""


def key_source(cloud: CloudSettings, retry: RetryPolicy | None = None) -> KeySource:
    """The place where keys are registered; ``retry`` says when to ask again."""
    if cloud.kind is CloudKind.FILE:
        assert cloud.path is not None  # noqa: S101 - the settings have checked
        return FileSource(cloud.path)
    times, limits = cloud.creation_times, Limits(silence=cloud.timeout)
    if cloud.kind is CloudKind.GRAPH:
        return GraphSource(
            cloud.root,
            application_tokens(cloud),
            ca_file=cloud.ca_file,
            creation_times=times,
            retry=retry,
            limits=limits,
        )
    assert cloud.url is not None  # noqa: S101
    assert cloud.token_file is not None  # noqa: S101
    return GraphSource(cloud.url, TokenFile(cloud.token_file), ca_file=cloud.ca_file, retry=retry, limits=limits)


@contextmanager
def open_runs(settings: Settings, *, cloud: bool = True, only: str | None = None) -> Iterator[tuple[Runs, Domain]]:
    """Sign in to one domain and open the store; with ``cloud``, know the key source too.

    Raises:
        ConfigError: several domains are configured and ``only`` names none.
    """
    directory = settings.need_directory(only)
    source = key_source(settings.need_cloud()) if cloud else None
    with opened_store(settings.store.url) as store, Domain(directory) as domain:
        yield Runs(domain, source, store, settings.policy), domain


@contextmanager
def open_estate(settings: Settings, *, cloud: bool = True, only: str | None = None) -> Iterator[Estate]:
    """Sign in to all configured domains and open the store; with ``cloud``, know the key source too.

    Args:
        settings: The configuration.
        cloud: Whether plans are to be made. Then all domains are opened, since no plan may be made for one without a
            look at the others; else only those to work on.
        only: Label or DNS name of the one domain to work on; left out, all are.

    Raises:
        KeytrustError: none of the domains to work on could be opened, or the configuration or the store is at fault.
    """
    chosen = settings.need_directories(only)
    wanted = settings.need_directories() if cloud else chosen
    source = key_source(settings.need_cloud()) if cloud else None
    store = open_store(settings.store.url)
    with ExitStack() as stack:
        stack.callback(store.dispose)
        opened, faults = _open_all(wanted, stack)
        members = [Member(label, domain, Runs(domain, source, store, settings.policy)) for label, domain in opened]
        yield Estate(members, faults, list(chosen), source=source, policy=settings.policy)


@contextmanager
def open_domains(
    settings: Settings, only: str | None = None
) -> Iterator[tuple[list[Domain], dict[str, KeytrustError]]]:
    """Sign in to all configured domains, or the one named; those that could be opened, and why others could not.

    Raises:
        ConfigError: there is none.
    """
    with ExitStack() as stack:
        opened, faults = _open_all(settings.need_directories(only), stack)
        yield [domain for _, domain in opened], faults


def _open_all(
    wanted: dict[str, DirectorySettings], stack: ExitStack
) -> tuple[list[tuple[str, Domain]], dict[str, KeytrustError]]:
    """Open domains at the same time, so that several that do not answer cost one time-out."""

    def opened(each: tuple[str, DirectorySettings]) -> Domain | KeytrustError:
        try:
            return Domain(each[1]).__enter__()
        except (DirectoryError, ConfigError) as error:
            return error

    domains: list[tuple[str, Domain]] = []
    faults: dict[str, KeytrustError] = {}
    with ThreadPoolExecutor(min(_AT_ONCE, len(wanted)), thread_name_prefix="sign-in") as threads:
        for label, result in zip(wanted, threads.map(opened, wanted.items()), strict=True):
            if isinstance(result, Domain):
                stack.push(result)
                domains.append((label, result))
            else:
                faults[label] = result
    return domains, faults
