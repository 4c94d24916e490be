"""From the configuration to the objects that do the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keytrust.cloud.credentials import application_tokens
from keytrust.cloud.file import FileSource
from keytrust.cloud.graph import GraphSource
from keytrust.cloud.settings import CloudKind, CloudSettings
from keytrust.cloud.source import KeySource
from keytrust.cloud.tokens import TokenFile
from keytrust.config import Settings
from keytrust.directory.domain import Domain
from keytrust.store.database import open_store
from keytrust.sync.runs import Runs


def key_source(cloud: CloudSettings) -> KeySource:
    """The place where keys are registered."""
    if cloud.kind is CloudKind.FILE:
        assert cloud.path is not None  # noqa: S101 - the settings have checked
        return FileSource(cloud.path)
    if cloud.kind is CloudKind.GRAPH:
        return GraphSource(cloud.root, application_tokens(cloud), ca_file=cloud.ca_file)
    assert cloud.url is not None  # noqa: S101
    assert cloud.token_file is not None  # noqa: S101
    return GraphSource(cloud.url, TokenFile(cloud.token_file), ca_file=cloud.ca_file)


@contextmanager
def open_runs(settings: Settings, *, cloud: bool = True) -> Iterator[tuple[Runs, Domain]]:
    """Sign in to the domain and open the store; with ``cloud``, know the key source too."""
    directory = settings.need_directory()
    source = key_source(settings.need_cloud()) if cloud else None
    store = open_store(settings.store.url)
    try:
        with Domain(directory) as domain:
            yield Runs(domain, source, store, settings.policy), domain
    finally:
        store.dispose()
