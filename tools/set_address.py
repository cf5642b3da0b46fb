"""Give a fork its own address: python tools/set_address.py OWNER/NAME

The address stands in _config.yml, from which the site makes its links. What is read as it is
repeats it: the README, the citation, the cells that install the library on Colab. This rewrites
it in every file that git knows.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def current(root: Path) -> str:
    """OWNER/NAME, from the address in _config.yml."""
    config = (root / "_config.yml").read_text(encoding="utf-8")
    return re.search(r"^  url: https://github\.com/([\w.-]+/[\w.-]+)$", config, re.MULTILINE)[1]


def rewrite(root: Path, new: str) -> list[str]:
    """Put `new` in the place of the current OWNER/NAME; returns the files that changed."""
    old, changed = current(root), []
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        path = root / name
        before = path.read_bytes() if path.is_file() else b""
        after = before.replace(old.encode(), new.encode())
        if name == "README.md":  # what `git clone` calls the folder
            folders = (f"cd {address.partition('/')[2]}\n".encode() for address in (old, new))
            after = after.replace(*folders)
        if after != before:
            path.write_bytes(after)
            changed.append(name)
    return changed


def main(arguments: list[str] | None = None) -> int:
    """Rewrite and say where; the exit code is 2 if the argument is no OWNER/NAME."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1 or not re.fullmatch(r"[\w.-]+/[\w.-]+", given[0]):
        print("give the repository as OWNER/NAME, such as ada/residual-course", file=sys.stderr)
        return 2
    print(*rewrite(ROOT, given[0]), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
