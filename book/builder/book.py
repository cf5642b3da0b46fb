"""Jupyter Book's build, run in this process, with warnings as errors."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
from pathlib import Path

import yaml
from jupyter_book.sphinx import build_sphinx

from . import fingerprint, mathematics
from .errors import BuildError
from .steps import say

# Of Sphinx's many lines, those that tell a reader what takes the time.
_NOTEBOOK = re.compile(
    r"^(?P<doc>\S+?)(?:\.ipynb)?: (?P<what>Execut\w+ notebook.*?)(?: \[mystnb\])?$"
)


def build(root: Path, output: Path, doctrees: Path, log: Path) -> None:
    """Build the pages into `output`. Notebooks are executed unless neither they nor the
    library have changed since they last were."""
    mathematics.use_node_from_wheel()
    _use_own_ipython(log.parent / "ipython")
    os.environ["RESIDUAL_LIB_EXPLORER"] = "static"
    overrides = {
        "external_toc_path": (root / "_toc.yml").as_posix(),
        "latex_individualpages": False,
        "nitpicky": True,
        "nb_execution_cache_path": _cache(root, log.parent / "executed").as_posix(),
        "nb_execution_show_tb": True,
        "nb_execution_raise_on_error": True,
        "myst_substitutions": _substitutions(root),
    }
    with log.open("w", encoding="utf-8") as everything:
        status = _Status(everything)
        with contextlib.redirect_stdout(status):
            result = build_sphinx(
                root,
                output,
                noconfig=True,
                path_config=root / "_config.yml",
                confoverrides=overrides,
                doctreedir=doctrees,
                freshenv=True,
                warningiserror=True,
                keep_going=True,
            )
    if isinstance(result, BaseException):
        raise BuildError(f"Sphinx stopped: {result}\nAll it said is in {log}") from result
    if result != 0:
        raise BuildError(f"the pages have warnings (above); all that Sphinx said is in {log}")


def _cache(root: Path, folder: Path) -> Path:
    """Executed notebooks are found again by their own code only, so that the library's state
    has to be in the path. Older states are thrown away."""
    current = folder / fingerprint.of_library(root)
    for other in folder.glob("*"):
        if other != current:
            shutil.rmtree(other)
    current.mkdir(parents=True, exist_ok=True)
    return current


def _use_own_ipython(folder: Path) -> None:
    """Notebooks run without the user's IPython settings, so that everybody builds the same
    pages; and without the kernel's warning that it talks over this machine's own network."""
    profile = folder / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 40\n")
    os.environ["IPYTHONDIR"] = str(folder)


def _substitutions(root: Path) -> dict[str, str]:
    """What the pages say with the repository's address, which stands in _config.yml alone."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    url = config["repository"]["url"].rstrip("/")
    clone = f"git clone {url}\ncd {url.rsplit('/', 1)[-1]}\nmake book\nmake test"
    return {"repository": url, "clone": f"```bash\n{clone}\n```"}


class _Status(io.TextIOBase):
    """Keeps all of Sphinx's output in a file, and lets through what a reader waits for."""

    def __init__(self, log: io.TextIOBase) -> None:
        self._log = log
        self._terminal = sys.stdout
        self._line = ""

    def write(self, text: str) -> int:
        self._log.write(text)
        self._line += text
        while "\n" in self._line:
            line, self._line = self._line.split("\n", 1)
            plain = re.sub(r"\x1b\[[0-9;]*m", "", line).strip()
            if found := _NOTEBOOK.match(plain):
                with contextlib.redirect_stdout(self._terminal):
                    say(f"      {Path(found['doc']).name}: {found['what']}")
        return len(text)

    def flush(self) -> None:
        self._log.flush()
