"""Microsoft Graph, or anything shaped like it (the registry), as a ``KeySource``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from keytrust.cloud.diagnosis import NOT_DONE, unusable
from keytrust.cloud.origin import root_url, shown
from keytrust.cloud.pages import Page, spooled_items, walk
from keytrust.cloud.replays import merge_copies
from keytrust.cloud.retry import RetryPolicy
from keytrust.cloud.source import CloudUser, Progress
from keytrust.cloud.tokens import TokenProvider
from keytrust.cloud.transport import Limits, Transport
from keytrust.cloud.user_json import parse_user, user_id
from keytrust.errors import CloudError

SELECT = (
    "id",
    "userPrincipalName",
    "accountEnabled",
    "onPremisesImmutableId",
    "onPremisesSecurityIdentifier",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesSamAccountName",
    "onPremisesSyncEnabled",
    "deviceKeys",
)
PAGE_SIZE = 999

_IN_MEMORY = 8 * 2**20


class GraphSource:
    """Reads every user and their ``deviceKeys``.

    The pages are first fetched to the last one into an anonymous temporary file, and only then turned into users: so
    nothing is yielded from a read that did not complete, a user that turns up again in a later page is noticed, and
    memory holds one page and a hash for each user.

    Args:
        root: The service root, such as ``https://graph.microsoft.com``.
        tokens: Where access tokens come from.
        ca_file: The only certificate authorities to trust; None for the system's.
        retry: When to ask again.
        limits: Bounds on answers.

    Raises:
        ConfigError: the root is not a URL to which a token may be sent.
    """

    def __init__(
        self,
        root: str,
        tokens: TokenProvider,
        *,
        ca_file: Path | None = None,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._root = root_url(root)
        self._tokens = tokens
        self._ca_file = ca_file
        self._retry = retry or RetryPolicy()
        self._limits = limits or Limits()

    def __repr__(self) -> str:
        return f"GraphSource({self.name!r})"

    @property
    def name(self) -> str:
        """See ``KeySource``."""
        return shown(self._root).rstrip("/")

    def read(self, progress: Progress | None = None) -> Iterator[CloudUser]:
        """See ``KeySource``. ``progress`` counts users as they arrive; the first user comes out after the last page.

        Raises:
            CloudError: the read did not complete; nothing was yielded.
        """
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            try:
                sizes, replayed = self._fetch(spool, progress)
                spool.seek(0)
            except OSError as error:
                raise CloudError(
                    f"the pages of {self.name} cannot be kept in a temporary file: {error.strerror}",
                    not_done=NOT_DONE,
                    remedy=f"make room in {tempfile.gettempdir()}, or set TMPDIR",
                ) from error
            yield from _users(spool, sizes, replayed)

    def _fetch(self, spool: IO[bytes], progress: Progress | None) -> tuple[list[int], set[int]]:
        """Fetch all pages; returns their sizes in the spool, and the id hashes that occurred more than once."""
        seen: set[int] = set()
        replayed: set[int] = set()
        sizes: list[int] = []
        idle = 0
        for page in self._pages():
            spool.write(page.body)
            sizes.append(len(page.body))
            before = len(seen)
            for item in page.items:
                # Hashes instead of ids keep this small. Two ids with one hash are only looked at twice.
                digest = hash(user_id(item))
                if digest in seen:
                    replayed.add(digest)
                seen.add(digest)
            idle = idle + 1 if len(seen) == before else 0
            if idle > self._limits.idle_pages:
                raise unusable(page.url, "sends page after page without a new user")
            if progress is not None:
                progress(len(seen))
        return sizes, replayed

    def _pages(self) -> Iterator[Page]:
        first = self._root.copy_with(path=f"{self._root.path.rstrip('/')}/beta/users").copy_merge_params(
            {"$select": ",".join(SELECT), "$top": str(PAGE_SIZE)}
        )
        with Transport(
            self._root, self._tokens, ca_file=self._ca_file, retry=self._retry, limits=self._limits
        ) as transport:
            yield from walk(transport, first, self._limits)


def _users(spool: IO[bytes], sizes: list[int], replayed: set[int]) -> Iterator[CloudUser]:
    """Decode the spooled pages; users that were reported more than once come last, merged."""
    copies: dict[str, list[CloudUser]] = {}
    for size in sizes:
        for item in spooled_items(spool.read(size)):
            user = parse_user(item)
            if hash(user.id) in replayed:
                copies.setdefault(user.id, []).append(user)
            else:
                yield user
    for reports in copies.values():
        yield merge_copies(reports)
