"""Other people's implementations, imported so that they do no harm to the tests beside them."""

from __future__ import annotations

import ssl

_verifying = ssl.create_default_context
# impacket.examples replaces this function, for the whole process, by one that verifies no certificate.
from impacket.examples.ntlmrelayx.utils import shadow_credentials  # noqa: E402

ssl.create_default_context = _verifying

__all__ = ["shadow_credentials"]
