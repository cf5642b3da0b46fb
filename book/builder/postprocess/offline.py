"""The service worker: pages that were visited can be read without a network."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..paths import ROOT

_SOURCE = ROOT / "book" / "offline.js"


def add(site: Path) -> None:
    """Write sw.js with the version of this build. Last of all: the version is of all files."""
    version = version_of(site)
    source = _SOURCE.read_text(encoding="utf-8")
    assert source.count("@VERSION@") == 1
    (site / "sw.js").write_text(source.replace("@VERSION@", version), encoding="utf-8")


def version_of(site: Path) -> str:
    """A name for exactly these files."""
    whole = hashlib.sha256()
    for path in sorted(site.rglob("*")):
        if path.is_file() and path.name != "sw.js":
            whole.update(path.relative_to(site).as_posix().encode() + b"\0")
            whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]
