"""Which Debian mirror to build from: the one this machine's own apt uses, or the one it is told to."""

from __future__ import annotations

import os
import re

from keytrust.errors import LabError
from keytrust.lab import child

MIRROR_VARIABLE = "KEYTRUST_DEBIAN_MIRROR"
_FORMAT = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)"
_SETTING = re.compile(
    r'Acquire::(?:(?:https?)::|Retries |ForceIPv[46] |Check-Valid-Until |Check-Date )[^\r\n]* ?"[^"\r\n]*";'
)


def debian_mirror() -> str:
    """URL of Debian's main archive.

    Raises:
        LabError: apt knows none over HTTP and the environment names none.
    """
    told = os.environ.get(MIRROR_VARIABLE)
    if told:
        return told
    listing = child.run(
        ["apt-get", "indextargets", "--format", _FORMAT, "Created-By: Packages"], doing="looking for a Debian mirror"
    ).stdout
    mirror = choose(listing)
    if mirror is None:
        raise LabError(
            "This machine's apt knows no mirror of Debian's main archive.",
            not_done="The lab was not built.",
            remedy=f"Run `apt-get update`, or set {MIRROR_VARIABLE} to the URL of a mirror that carries trixie.",
        )
    return mirror


def choose(listing: str) -> str | None:
    """The first archive whose release file says origin Debian, label Debian (not Debian-Security), component main."""
    for line in listing.splitlines():
        origin, label, component, uri = [*line.split("|", 3), "", "", ""][:4]
        if (origin, label, component) == ("Debian", "Debian", "main") and uri.startswith(("http://", "https://")):
            return uri
    return None


def network_settings() -> str:
    """This machine's apt settings for proxies, certificates, retries and release dates, as apt.conf text."""
    return carry_over(child.run(["apt-config", "dump", "Acquire"], doing="reading apt's configuration").stdout)


def carry_over(dump: str) -> str:
    """Those lines of ``apt-config dump`` that say how to reach a mirror. Signatures are checked whatever they say."""
    lines = [line for line in dump.splitlines() if _SETTING.fullmatch(line) and not line.endswith(' "";')]
    return "".join(f"{line}\n" for line in lines)
