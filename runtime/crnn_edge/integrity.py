"""Checksums: whether the bytes that an engine gets are the bytes that were exported."""

from __future__ import annotations

import hashlib


def sha256(*parts: bytes | memoryview) -> str:
    """The SHA-256 of some bytes, of all parts in their order, in hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
