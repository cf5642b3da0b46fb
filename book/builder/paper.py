"""What of a page is for the screen alone: paper and plain text leave it out."""

from __future__ import annotations

#: A selector of what needs a hand, a script, or another page around it.
SCREEN_ONLY = "script, button, nav, .headerlink, .prev-next-footer, .rl-controls, .rl-without"
