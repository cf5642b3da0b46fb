"""The store against damage, interruption and company, and the keys against changes of code."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residual_lib.experiments.framework import sources, store
from residual_lib.experiments.framework.store import Store, Trial

TABLE = pd.DataFrame(
    {
        "seed": [3, 3, 3],
        "step": [0, 10, 20],
        "metric": ["error", "error", "loss"],
        "value": [0.1, np.nan, np.inf],
        "layer": ["stem", None, "head"],
        "alive": [True, False, True],
    }
)
FACTS = {"seconds": 1.5, "device": "cpu"}


@pytest.fixture
def trials(tmp_path):
    return Store(tmp_path / "trials")


def a_path(trials, **key):
    return trials.path("toy", "run-quick-seed3", {"seed": 3, **key})


def test_what_is_read_is_what_was_written(trials):
    trials.write(a_path(trials), Trial(TABLE, FACTS))
    read = trials.read(a_path(trials))
    pd.testing.assert_frame_equal(read.table, TABLE, check_dtype=False)
    assert list(read.table.dtypes)[:2] == [np.int64, np.int64]
    assert read.table["alive"].dtype == bool
    assert read.provenance == FACTS


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)


@given(
    values=st.lists(st.floats(width=64), min_size=1, max_size=20),
    words=st.lists(st.none() | texts, min_size=20, max_size=20),
)
@settings(max_examples=50, deadline=None)
def test_any_numbers_and_texts_survive_bit_by_bit(values, words):
    table = pd.DataFrame({"value": values, "layer": words[: len(values)]}).astype({"layer": object})
    read = store._unpack(store._pack(table))
    assert read["value"].to_numpy().tobytes() == table["value"].to_numpy().tobytes()
    assert [None if pd.isna(word) else word for word in read["layer"]] == words[: len(values)]


def test_pandas_own_numbers_are_stored_as_plain_ones():
    table = pd.DataFrame({"index": pd.array([1, None], dtype="Int64")})
    assert store._unpack(store._pack(table))["index"].tolist()[0] == 1.0


def test_an_absent_trial_is_none(trials, capsys):
    assert trials.read(a_path(trials)) is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("where", [0, 70, 120, -1])
def test_a_flipped_bit_anywhere_is_found(trials, capsys, where):
    path = a_path(trials)
    trials.write(path, Trial(TABLE, FACTS))
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    assert trials.read(path) is None
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("kept", [0, 1, 64, 65, 200])
def test_a_cut_file_is_found(trials, kept):
    path = a_path(trials)
    trials.write(path, Trial(TABLE, FACTS))
    path.write_bytes(path.read_bytes()[:kept])
    assert trials.read(path) is None


def test_a_failed_write_leaves_the_old_file_and_no_other(trials, monkeypatch):
    path = a_path(trials)
    trials.write(path, Trial(TABLE, FACTS))

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        trials.write(path, Trial(TABLE.head(1), FACTS))
    assert len(trials.read(path).table) == 3
    assert list(path.parent.iterdir()) == [path]


def keep_writing(path):
    trials = Store(path.parent.parent)
    big = pd.concat([TABLE] * 3000)
    while True:
        trials.write(path, Trial(big, FACTS))


def test_writers_and_a_reader_at_once_and_writers_killed_at_work(trials, capsys):
    path = a_path(trials)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=keep_writing, args=(path,), daemon=True) for _ in range(2)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 60
    while trials.read(path) is None:
        assert time.monotonic() < deadline, "no writer has written"
        time.sleep(0.01)
    for _ in range(30):
        assert len(trials.read(path).table) == 9000
    for writer in writers:
        writer.kill()
        writer.join()
    assert len(trials.read(path).table) == 9000
    assert "damaged" not in capsys.readouterr().err


def test_the_newest_earlier_trial_is_found_whatever_its_code(trials):
    assert trials.earlier("toy", "run-quick-seed3") is None
    for age, seconds in ((200, 1.0), (100, 2.0)):
        path = a_path(trials, code=seconds)
        trials.write(path, Trial(TABLE, {"seconds": seconds}))
        os.utime(path, (time.time() - age,) * 2)
    a_path(trials, code="damaged").write_bytes(b"half a fi")
    assert trials.earlier("toy", "run-quick-seed3") == {"seconds": 2.0}


def test_where_trials_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("RESIDUAL_LIB_STORE", str(tmp_path))
    assert Store().root == tmp_path
    monkeypatch.delenv("RESIDUAL_LIB_STORE")
    assert Store().root == sources.ROOT.parent / ".trials"
    monkeypatch.setattr(store, "ROOT", tmp_path / "site-packages" / "residual_lib")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert Store().root == tmp_path / "cache" / "residual-lib" / "trials"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small residual_lib whose files a test may write, and the hash of its chapter."""
    root = tmp_path / "residual_lib"
    files = {
        "__init__.py": "",
        "train.py": "from .nn import layers\nRATE = 0.1\n",
        "nn/__init__.py": "",
        "nn/layers.py": "import residual_lib.residual\n",
        "residual.py": "def add(a, b):\n    return a + b\n",
        "figures.py": "COLOUR = 'blue'\n",
        "claims.py": "from residual_lib.experiments import chapter\n",
        "experiments/__init__.py": "import residual_lib.figures\n",
        "experiments/framework/__init__.py": "",
        "experiments/framework/work.py": "import residual_lib.figures\n",
        "experiments/chapter.py": (
            "import torch\nfrom residual_lib.experiments.framework.work import measure\n"
            "def run():\n    from residual_lib import train\n"
        ),
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(sources, "ROOT", root)

    def forget():
        for cached in (sources.source_hash, sources._code, sources._tree):
            cached.cache_clear()

    def key():
        forget()
        return sources.source_hash("residual_lib.experiments.chapter")

    yield root, key
    forget()


def test_reach_follows_imports_of_every_form_and_stops_at_the_framework(package):
    assert sources.reachable("residual_lib.experiments.chapter") == {
        "residual_lib",
        "residual_lib.experiments.chapter",
        "residual_lib.train",
        "residual_lib.nn",
        "residual_lib.nn.layers",
        "residual_lib.residual",
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("residual.py", "a + b", "a - b", True),
        ("train.py", "0.1", "0.2", True),
        ("experiments/chapter.py", "train", "train as loop", True),
        ("figures.py", "blue", "red", False),
        ("claims.py", "chapter", "chapter as c", False),
        ("experiments/framework/work.py", "figures", "train", False),
        ("residual.py", "def add", "# a comment\n\ndef add", False),
        ("residual.py", ":\n", ':\n    """A docstring."""\n', False),
    ],
)
def test_the_hash_changes_with_code_in_reach_and_with_nothing_else(
    package, file, old, new, changes
):
    root, key = package
    before = key()
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new))
    assert (key() != before) is changes


def test_the_hash_stays_that_of_the_code_first_read(package):
    root, key = package
    before = key()
    (root / "residual.py").write_text("def add(a, b):\n    return b\n")
    assert sources.source_hash("residual_lib.experiments.chapter") == before


def test_code_without_a_file_has_no_hash():
    with pytest.raises(ValueError, match="module with a file, got one of 'sys'"):
        sources.source_hash("sys")


CHAPTERS = [f"experiments.{path.stem}" for path in (sources.ROOT / "experiments").glob("[!_]*.py")]


@pytest.mark.parametrize("module", ["models", "data", "probes", "statistics", *CHAPTERS])
def test_reach_covers_what_python_really_imports(module):
    """The static closure against the modules that an interpreter has loaded."""
    script = f"""
        import sys, residual_lib.{module}
        print(*(name for name in sys.modules if name.startswith("residual_lib")))
    """
    loaded = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    plumbing = ("residual_lib.experiments", sources.PLUMBING)
    names = {name for name in loaded.stdout.split() if name not in plumbing}
    names = {name for name in names if not name.startswith(f"{sources.PLUMBING}.")}
    assert names <= sources.reachable(f"residual_lib.{module}")


DRIVER = """
import sys
sys.path.insert(0, {folder!r})
import toy_chapter
from residual_lib import __main__
from residual_lib.experiments.framework import registry
slow = {{f"slow-{{i}}": {{"level": float(i), "sleep": 60.0}} for i in range(2)}}
fast = {{f"fast-{{i}}": {{"level": float(i)}} for i in range(2)}}
toy = toy_chapter.experiment(variants=fast | slow, cost=lambda params: 2 - params.get("sleep", 0))
chapter = type(sys)("residual_lib.experiments.toy")
chapter.EXPERIMENTS = (toy,)
registry.chapters = lambda: {{1: chapter}}
sys.exit(__main__.main(["run", "--device", "cpu", "--jobs", "{jobs}"]))
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_finished_trials_and_stops_the_rest(tmp_path, jobs):
    trials = tmp_path / "trials"
    driver = DRIVER.format(folder=str(Path(__file__).parent), jobs=jobs)
    process = subprocess.Popen(
        [sys.executable, "-c", driver],
        env={**os.environ, "RESIDUAL_LIB_STORE": str(trials)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal's Ctrl-C reaches the whole group, workers too
    )
    deadline = time.monotonic() + 90
    while len(list(trials.rglob("*.trial"))) < 10:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "the fast variants were not measured"
        time.sleep(0.1)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped; finished trials are stored" in said
    assert "Traceback" not in said
    files = list(trials.rglob("*.trial"))
    assert len(files) == 10
    assert all(Store(trials).read(file) for file in files)
