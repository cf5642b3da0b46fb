"""Whether anything that the site is made of has changed."""

from __future__ import annotations

import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

_IGNORED = {"__pycache__", ".ipynb_checkpoints"}

# Everything that a page can be made of. Tests, benchmarks and notes aren't in it.
SITE = [
    "_config.yml",
    "_toc.yml",
    "CHANGELOG.md",
    "requirements.txt",
    "book",
    "chapters",
    "residual_lib",
]
LIBRARY = ["residual_lib"]


def of_site(root: Path) -> str:
    """Changes with any input of the site."""
    return _digest(root, SITE)


def of_library(root: Path) -> str:
    """Changes with anything that a notebook's result can come from, besides its own code."""
    return _digest(root, LIBRARY)


def _digest(root: Path, names: list[str]) -> str:
    digest = hashlib.sha256(f"python {sys.version} torch {version('torch')}".encode())
    for name in names:
        for path in sorted(_files(root / name)):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [p for p in path.rglob("*") if p.is_file() and not _IGNORED & set(p.parts)]
