"""What stops a build, said in words that help."""

from __future__ import annotations


class BuildError(Exception):
    """The build can't go on; the message says why and what to do."""
