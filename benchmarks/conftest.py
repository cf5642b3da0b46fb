"""Ratios of two things timed in turn, in one process on one thread, and a table of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

import pytest
import torch

_RATIOS: list[tuple[str, float, float | None, float]] = []


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def compare(benchmark: Callable) -> Callable:
    """Time `ours` against `theirs` in turn and note the ratio of the medians.

    Turns share whatever else the machine does. The clock counts this thread's own time on the
    processor, so that waiting for other programs doesn't count at all.
    """

    def run(
        name: str,
        ours: Callable,
        theirs: Callable,
        *,
        limit: float | None,
        rounds: int,
        warmup: int = 2,
    ) -> float:
        times: dict[Callable, list[float]] = {ours: [], theirs: []}

        def turn() -> None:
            order = (ours, theirs) if len(times[ours]) % 2 else (theirs, ours)
            for work in order:
                start = time.thread_time()
                work()
                times[work].append(time.thread_time() - start)

        for _ in range(warmup):
            turn()
        for taken in times.values():
            taken.clear()
        benchmark.pedantic(turn, rounds=rounds)
        a, b = median(times[ours]), median(times[theirs])
        _RATIOS.append((name, a / b, limit, b))
        benchmark.extra_info["ratio"] = a / b
        return a / b

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _RATIOS:
        return
    terminalreporter.section("ratios of medians, one thread")
    width = max(len(name) for name, *_ in _RATIOS)
    terminalreporter.write_line(f"{'':{width}}  ratio  limit  the one compared with, ms")
    for name, ratio, limit, base in _RATIOS:
        verdict = "" if limit is None or ratio <= limit else "  over the limit"
        bound = "none" if limit is None else f"{limit:.2f}"
        line = f"{name:{width}}  {ratio:5.2f}  {bound:>5}  {base * 1e3:9.2f}{verdict}"
        terminalreporter.write_line(line)
