"""A private certification authority for domain controllers. Pure: certificates in, certificates out."""

from __future__ import annotations
