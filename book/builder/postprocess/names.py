"""What screen readers are told of a page's parts."""

from __future__ import annotations

import re

# MyST-NB's name for every folded cell, in the place of "Show code cell source".
_UNREAD = re.compile(r'(<summary) aria-label="Toggle hidden content">')
# Docutils puts entries of this role, which ARIA has given up, into a list, which wants items.
_ENTRY = 'role="doc-biblioentry"'


def mend(html: str) -> str:
    """Folded cells are called what is written on them; a bibliography is a list of items."""
    return _UNREAD.sub(r"\1>", html).replace(_ENTRY, 'role="listitem"')
