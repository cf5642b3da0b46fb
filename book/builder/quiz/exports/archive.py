"""Zip archives that depend on nothing but what is in them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip of files by name: without the time at which it was made, and for every system."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            about = zipfile.ZipInfo(name)  # 1980
            about.compress_type = zipfile.ZIP_DEFLATED
            about.create_system = 3
            about.external_attr = 0o644 << 16
            archive.writestr(about, content)
    return whole.getvalue()
