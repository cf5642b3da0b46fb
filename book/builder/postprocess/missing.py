"""404.html: a host shows it at any address, so that it brings along all that it shows."""

from __future__ import annotations

import base64

from ..paths import ROOT

# Where the site lies: under its name on GitHub Pages, at the root on this machine.
_SCRIPT = """
let mode = 'auto';
try { mode = localStorage.getItem('mode'); } catch {}
if (mode !== 'light' && mode !== 'dark') {
  mode = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}
document.documentElement.dataset.theme = mode;
const base = location.pathname.startsWith(BASE) ? BASE : '/';
for (const link of document.querySelectorAll('a')) link.href = base + link.dataset.to;
"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="data:image/svg+xml;base64,{encoded}">
<title>This page is not here</title>
<meta name="description" content="A page of the course on residual connections that is not there.">
<style>
:root {{ color-scheme: light; --ink: #1c2733; --paper: #fff; --accent: #0b6e6e; }}
[data-theme="dark"] {{ color-scheme: dark; --ink: #e6ebf0; --paper: #12181f; --accent: #5ec9c0; }}
body {{
  margin: 12vh auto; max-width: 32rem; padding: 0 1rem;
  background: var(--paper); color: var(--ink); font: 1.1rem/1.6 system-ui, sans-serif;
}}
svg {{ width: 4rem; }}
li a {{ display: inline-block; padding: 0.55rem 0; color: var(--accent); }}
</style>
</head>
<body>
<main>
{icon}
<h1>This page is not here</h1>
<p>The skip that led here goes nowhere. The address may be of an older version of the course.</p>
<ul>
<li><a data-to="" href="{base}">The first page, with all chapters</a></li>
<li><a data-to="search.html" href="{base}search.html">Search</a></li>
<li><a data-to="book/glossary.html" href="{base}book/glossary.html">Glossary</a></li>
<li><a data-to="book/claims.html" href="{base}book/claims.html">Claims ledger</a></li>
</ul>
</main>
<script>{script}</script>
</body>
</html>
"""


def page(base: str) -> str:
    """The page, for a site that lies at the path `base`, such as '/course/'."""
    icon = (ROOT / "book" / "_assets" / "favicon.svg").read_text(encoding="utf-8")
    return _PAGE.format(
        base=base,
        icon=icon,
        encoded=base64.b64encode(icon.encode()).decode(),
        script=_SCRIPT.replace("BASE", repr(base)),
    )
