"""Scripts: only what a page uses, none before the page can be seen, no inline handlers."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import urlsplit

from .tags import attributes, opening

# fontawesome.js draws icons that the style sheet draws already, at half a megabyte. Of Bootstrap
# the site used the menus: see _assets/menus.js.
_NOWHERE = ("fontawesome.js", "bootstrap.js")
_SEARCH_ONLY = re.compile(r"searchtools\.js|language_data\.js|searchindex\.js")
# These have nothing to do on a page that doesn't have, in its HTML, what stands beside them.
_ONLY_WITH = {
    "design-tabs.js": "sd-tab-set",
    "copybutton.js": '<div class="highlight"',
    "clipboard.min.js": '<div class="highlight"',
}
_PRELOAD = re.compile(r"""\s*<link rel="preload" as="script"[^>]*>""")
_SCRIPT = re.compile(opening("script").pattern + r"(?P<body>.*?)</script>", re.DOTALL | re.I)
_HANDLER = re.compile(r"""\sonclick="(?P<code>[^"]*)\"""")
_ACTIONS = {"window.print()": "print"}  # see _assets/site.js


def lighten(html: str, *, search_page: bool) -> str:
    html = _PRELOAD.sub("", html)
    html = _HANDLER.sub(_as_action, html)
    useless = {name for name, wanted in _ONLY_WITH.items() if wanted not in html}
    return _SCRIPT.sub(lambda tag: _script(tag, search_page, useless | set(_NOWHERE)), html)


def drop_unused(static: Path) -> None:
    """Remove what no page loads. Early: the style sheet keeps a rule for any word in a script."""
    for name in _NOWHERE:
        (static / "scripts" / name).unlink(missing_ok=True)


def _script(tag: re.Match[str], search_page: bool, useless: set[str]) -> str:
    have = attributes(tag)
    source = have.get("src")
    # Progress bars leave these for a widget manager, which the site doesn't have.
    if have.get("type", "").startswith("application/vnd.jupyter.widget-"):
        return ""
    if source is None:
        # A module waits as deferred scripts do, and so finds what they define.
        late = tag["body"].lstrip().startswith("DOCUMENTATION_OPTIONS.")
        return tag[0].replace("<script", '<script type="module"', 1) if late else tag[0]
    if posixpath.basename(urlsplit(source).path) in useless:
        return ""
    if _SEARCH_ONLY.search(source) and not search_page:
        return ""
    return tag[0] if "defer" in have else tag[0].replace("<script", "<script defer", 1)


def _as_action(handler: re.Match[str]) -> str:
    code = handler["code"]
    if code not in _ACTIONS:
        raise ValueError(f"a page has onclick={code!r}, which the security policy would block")
    return f' data-action="{_ACTIONS[code]}"'
