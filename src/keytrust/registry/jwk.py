"""Public keys as JSON Web Keys (RFC 7517), named by their thumbprint (RFC 7638)."""

from __future__ import annotations

import base64
import hashlib
import json

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa


def public_jwk(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, algorithm: str) -> dict[str, object]:
    """A public signing key for a key set."""
    if isinstance(key, rsa.RSAPublicKey):
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)
        members = ["e", "kty", "n"]
    else:
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True)
        members = ["crv", "kty", "x", "y"]
    public = {name: jwk[name] for name in members}
    digest = hashlib.sha256(json.dumps(public, separators=(",", ":"), sort_keys=True).encode()).digest()
    kid = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {**public, "kid": kid, "alg": algorithm, "use": "sig"}
