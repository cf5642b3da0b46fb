"""Serve _build/html on this machine and open it: python book/serve.py [--port 8000]."""

from __future__ import annotations

import argparse
import sys
import webbrowser

from builder import hosting
from builder.paths import HTML


def main() -> int:
    parser = argparse.ArgumentParser(prog="book/serve.py", description=__doc__.split(":")[0])
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: 8000)")
    parser.add_argument("--no-open", action="store_true", help="don't open a browser")
    options = parser.parse_args()
    if not (HTML / "index.html").exists():
        print("There is no site yet: run `make book` first", file=sys.stderr)
        return 1
    try:
        server = hosting.server(HTML, options.port)
    except OSError as error:
        print(f"Port {options.port} can't be used ({error}): try --port 0", file=sys.stderr)
        return 1
    address = f"http://localhost:{server.server_port}/"
    print(f"The course is at {address} (Ctrl-C stops)", flush=True)
    if not options.no_open:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
