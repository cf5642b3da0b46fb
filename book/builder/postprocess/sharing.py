"""What other sites show of a page: its own address, and a card with a picture."""

from __future__ import annotations

import html
import re
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Arc

from .tags import attributes, opening

CARD = "_static/card.png"
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


def describe(page: str, path: str, address: str) -> str:
    """Add the canonical address and the card to a page's head.

    Args:
        page: the HTML, which has a title and a description.
        path: of the page, from the site's root.
        address: of the site.
    """
    title = _TITLE.search(page)
    metas = [attributes(tag) for tag in opening("meta").finditer(page)]
    described = [meta["content"] for meta in metas if meta.get("name") == "description"]
    if title is None or not described:
        raise ValueError(f"{path} needs a title and a description")
    name = html.unescape(title[1]).split(" \N{EM DASH} ")[0].strip()
    url = address + ("" if path in ("index.html", "book/index.html") else path)
    tags = {
        'property="og:type"': "website",
        'property="og:site_name"': "Residual connections",
        'property="og:title"': name,
        'property="og:description"': described[0],
        'property="og:url"': url,
        'property="og:image"': address + CARD,
        'name="twitter:card"': "summary_large_image",
    }
    lines = [
        f'<link rel="canonical" href="{html.escape(url)}"/>',
        f'<link rel="alternate" type="application/atom+xml" href="{address}changes.xml"/>',
    ]
    lines += [f'<meta {key} content="{html.escape(value)}"/>' for key, value in tags.items()]
    return opening("head").sub(lambda tag: "\n    ".join([tag[0], *lines]), page, count=1)


def draw_card(path: Path) -> None:
    """Draw the picture of 1200 x 630 pixels: the equation, and the arc of the wordmark."""
    paper, ink, accent = "#12181f", "#e6ebf0", "#5ec9c0"
    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor=paper)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 12), ylim=(0, 6.3))
    ax.axis("off")
    ax.plot([0.9, 11.1], [1.2, 1.2], color=accent, linewidth=5, solid_capstyle="round")
    ax.add_patch(Arc((9.2, 1.2), 2.6, 3.2, theta2=180, color=accent, linewidth=5))
    ax.plot(10.5, 1.2, "o", color=accent, markersize=26)
    ax.plot(10.5, 1.2, "+", color=paper, markersize=14, markeredgewidth=3)
    ax.text(0.9, 4.75, "Residual connections", color=ink, fontsize=50, fontweight="bold")
    ax.text(0.9, 3.5, "$y = x + F(x)$", color=accent, fontsize=52, math_fontfamily="cm")
    ax.text(0.9, 2.2, "A course whose claims are measured", color=ink, fontsize=24)
    figure.savefig(path)
