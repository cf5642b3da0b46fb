"""Where the site is published, from the one place that has the repository's address."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import yaml

from .paths import ROOT


def published(root: Path = ROOT) -> str:
    """The address of the site on GitHub Pages; ends with '/'."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    owner, name = urlsplit(config["repository"]["url"]).path.strip("/").split("/")
    return f"https://{owner.lower()}.github.io/{name}/"


def path(root: Path = ROOT) -> str:
    """The same without the host: '/name/'."""
    return urlsplit(published(root)).path
