"""The content security policy: a page runs its own scripts, and asks no other host for anything."""

from __future__ import annotations

import base64
import hashlib
import re

from .tags import attributes, opening

_SCRIPT = re.compile(opening("script").pattern + r"(?P<body>.*?)</script>", re.DOTALL | re.I)
_JAVASCRIPT = {"", "text/javascript", "module", "application/javascript"}


def with_policy(html: str) -> str:
    """Put the policy at the head's top. Last of all: it holds hashes of the page's scripts."""
    sources = " ".join(["'self'", *hashes(html)])
    policy = (
        f"default-src 'self'; script-src {sources}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'"
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    # The character set has to stand within the first 1024 bytes: before the policy.
    return opening("head").sub(
        lambda tag: f'{tag[0]}\n    <meta charset="utf-8" />\n    {meta}',
        html.replace('<meta charset="utf-8" />', "", 1),
        count=1,
    )


def hashes(html: str) -> list[str]:
    """What the policy calls the inline scripts of a page, each once."""
    found = []
    for tag in _SCRIPT.finditer(html):
        have = attributes(tag)
        if "src" not in have and have.get("type", "").lower() in _JAVASCRIPT:
            digest = hashlib.sha256(tag["body"].encode()).digest()
            found.append(f"'sha256-{base64.b64encode(digest).decode()}'")
    return list(dict.fromkeys(found))
