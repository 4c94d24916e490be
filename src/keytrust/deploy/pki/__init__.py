"""A private authority for domains without AD CS: its folder, and the steps that make, issue, revoke and publish."""

from __future__ import annotations
