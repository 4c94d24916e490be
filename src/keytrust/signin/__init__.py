"""Proof by PKINIT that a key signs in."""

from __future__ import annotations

from keytrust.signin.keys import load_private_key
from keytrust.signin.refusal import Refusal
from keytrust.signin.signin import SigninResult, sign_in

__all__ = ["Refusal", "SigninResult", "load_private_key", "sign_in"]
