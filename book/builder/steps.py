"""Says what a build is doing, how long it took, and how long the rest will take."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Steps:
    """Named steps in order; what each took is remembered for the next build's estimate.

    >>> steps = Steps(["bake", "eat"], Path("timings.json"))
    >>> with steps("bake"):
    ...     ...
    [1/2] bake (about 30 s; the whole about 40 s)
          done in 29.8 s
    """

    def __init__(self, names: list[str], memory: Path) -> None:
        self.names = names
        self.memory = memory
        self.expected: dict[str, float] = {}
        if memory.exists():
            self.expected = json.loads(memory.read_text())
        self.taken: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        number = self.names.index(name)
        say(f"[{number + 1}/{len(self.names)}] {name}{self._estimate(number)}")
        start = time.perf_counter()
        yield
        self.taken[name] = time.perf_counter() - start
        say(f"      done in {duration(self.taken[name])}")
        self.memory.parent.mkdir(parents=True, exist_ok=True)
        self.memory.write_text(json.dumps({**self.expected, **self.taken}, indent=1))

    def _estimate(self, number: int) -> str:
        left = self.names[number:]
        if not all(name in self.expected for name in left):
            return ""
        here = duration(self.expected[left[0]])
        rest = duration(sum(self.expected[name] for name in left))
        return f" (took {here} last time; {rest} left in all)"


def say(line: str) -> None:
    print(line, flush=True, file=sys.stdout)


def duration(seconds: float) -> str:
    """1.24 -> '1.2 s', 75 -> '1 min 15 s'."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02d} s"
