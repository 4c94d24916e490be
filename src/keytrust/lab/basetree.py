"""The base system of a domain controller: built once from Debian, kept as a tar file, unpacked for each lab.

Debian 12's own Samba is too old for key trust, which came with 4.24; so the tree is Debian 13 with Samba from its
backports.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from keytrust.errors import LabError
from keytrust.lab import child, lock, mirror, mounts, removal

CACHE = Path("/var/cache/keytrust")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TRIXIE_KEY = Path("/usr/share/keyrings/debian-archive-trixie-stable.gpg")

_SUITE = "trixie"
_PACKAGES = ("samba-ad-dc", "samba-ad-provision", "python3-samba", "ldb-tools")
_UNNEEDED = ("doc", "man", "info", "locale", "lintian", "bash-completion")
_PIN = f"Package: *\\nPin: release n={_SUITE}-backports\\nPin-Priority: 600\\n"
# Without the preference apt takes the older Samba of the release itself.
_SETUP_HOOK = f'mkdir -p "$1/etc/apt/preferences.d" && printf "{_PIN}" > "$1/etc/apt/preferences.d/backports"'
# What came from this machine (its proxies, its resolver) must not go into the tree.
_CUSTOMIZE_HOOK = (
    'rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/samba/smb.conf" "$1/etc/resolv.conf" "$1/etc/hostname"'
)
_RECIPE = repr((_SUITE, _PACKAGES, _UNNEEDED, _SETUP_HOOK, _CUSTOMIZE_HOOK))


def tarball(cache: Path) -> Path:
    """Where this version of the base system is kept; the name changes with the recipe."""
    machine = os.uname().machine
    return cache / f"dc-{_SUITE}-{machine}-{hashlib.sha256(_RECIPE.encode()).hexdigest()[:12]}.tar"


def unpack(cache: Path, tree: Path, report: Callable[[str], None]) -> None:
    """Make ``tree``, which must not exist, from the cached base system, which is built first if it is not there.

    Raises:
        LabError: it cannot be built (no mirror, no room, a bad signature) or unpacked.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with lock.exclusive(cache / ".lock", lambda: report("waiting for another process that builds the base system")):
        kept = tarball(cache)
        if not kept.exists():
            _build(cache, kept, report)
        tree.mkdir(parents=True)
        report("unpacking the base system")
        try:
            child.run(
                ["tar", "--extract", "--numeric-owner", "--file", str(kept), "--directory", str(tree)],
                doing="unpacking the base system",
            )
        except LabError:
            # Whether the disk is full or the file is damaged, a fresh one is the better start next time.
            kept.unlink(missing_ok=True)
            raise


def purge(cache: Path, report: Callable[[str], None]) -> None:
    """Delete the cache.

    Raises:
        LabError: something is mounted in it and stays mounted.
    """
    if not cache.exists():
        return
    with lock.exclusive(cache / ".lock", lambda: report("waiting for another process that builds the base system")):
        mounts.unmount(cache)
        for kept in cache.glob("dc-*.tar"):
            kept.unlink()
        removal.remove(cache / "build")
        (cache / ".lock").unlink()
    if not any(cache.iterdir()):
        cache.rmdir()


def _build(cache: Path, kept: Path, report: Callable[[str], None]) -> None:
    if not _TRIXIE_KEY.exists():
        raise LabError(
            "The signing keys of Debian 13 are not installed.",
            not_done="The lab was not built; unsigned packages are never used.",
            remedy="Run ./script/setup, or `apt-get install debian-archive-keyring` (2023.3+deb12u2 or later).",
        )
    build = cache / "build"
    mounts.unmount(build)  # a build that was killed may have left some
    removal.remove(build)
    build.mkdir(mode=0o755)
    url = mirror.debian_mirror()
    settings = build / "apt.conf"
    settings.touch(mode=0o600)
    settings.write_text(mirror.network_settings() + 'Acquire::Languages "none";\n', encoding="utf-8")
    report(f"building the base system (Debian {_SUITE}, Samba from its backports), once for all labs")
    result = build / "base.tar"
    child.follow(
        _command(url, settings, result),
        doing="building the base system",
        env={**os.environ, "TMPDIR": str(build), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
        log=build / "log",
        line=lambda said: report(f"  {said[3:]}") if said.startswith("I: ") and said.endswith("...") else None,
    )
    result.replace(kept)  # complete or not there at all
    removal.remove(build)


def _command(url: str, settings: Path, result: Path) -> list[str]:
    # In namespaces of its own: if we die the kernel ends every process of the build and its mounts with them.
    namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [
        *namespaces,
        "--",
        "mmdebstrap",
        "--mode=root",
        "--variant=apt",
        "--format=tar",
        f"--include={','.join(_PACKAGES)}",
        f"--aptopt={settings}",
        *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in _UNNEEDED),
        "--dpkgopt=force-unsafe-io",
        f"--setup-hook={_SETUP_HOOK}",
        f"--customize-hook={_CUSTOMIZE_HOOK}",
        _SUITE,
        str(result),
        f"deb [signed-by={KEYRING}] {url} {_SUITE} main",
        f"deb [signed-by={KEYRING}] {url} {_SUITE}-backports main",
    ]
