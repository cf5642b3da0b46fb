"""The chapters run with the oldest packages that the library allows, and with Colab's.

Each environment is a virtual environment of its own under `_build/environments`, kept for the next
run as long as its pins are the same. PyTorch stays at the version of requirements.txt, the one
whose CPU build is at hand, so the trials that are in the store count there too, and the chapters
take them from it. That the code which measured them runs under these packages is a test of its own:
one trial of every experiment, measured anew.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
COLAB = Path(
    os.environ.get(
        "COLAB_CONSTRAINTS", ROOT.parent / "shared" / "data" / "colab" / "constraints.txt"
    )
)
TORCH = re.search(r"^torch==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[0]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDS = [re.split(r"[<>=!~ ]", need)[0] for need in PROJECT["dependencies"]]


def oldest() -> dict[str, str]:
    """The floors of pyproject.toml as pins."""
    floors = dict(re.split(r">=", need) for need in PROJECT["dependencies"])
    return {name: version for name, version in floors.items() if name != "torch"}


def colabs() -> dict[str, str]:
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)$", COLAB.read_text(), re.MULTILINE))
    # torch is TORCH; torchvision and torchaudio would pull another one.
    return {name: version for name, version in pins.items() if not name.startswith("torch")}


ENVIRONMENTS = [
    pytest.param(oldest, id="oldest"),
    pytest.param(
        colabs,
        id="colab",
        marks=[
            pytest.mark.needs_shared,
            pytest.mark.skipif(
                not COLAB.exists(),
                reason="needs a list of Colab's packages: set COLAB_CONSTRAINTS to such a file",
            ),
        ],
    ),
]


def run(*command: str | Path, **options) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, f"{command} failed:\n{(done.stdout + done.stderr)[-6000:]}"
    return done.stdout


def environment(name: str, pins: dict[str, str]) -> Path:
    """Return the Python of a virtual environment with `pins`, made where it isn't there yet."""
    constraints = "\n".join(f"{package}=={version}" for package, version in sorted(pins.items()))
    key = hashlib.sha256(f"{TORCH}\n{NEEDS}\n{constraints}".encode()).hexdigest()[:12]
    folder = ROOT / "_build" / "environments" / f"{name}-{key}"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        run(sys.executable, "-m", "venv", "--clear", folder)
        (folder / "constraints.txt").write_text(constraints)
        pip = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--constraint",
            folder / "constraints.txt",
        ]
        run(*pip, TORCH)
        run(*pip, *(need for need in NEEDS if need != "torch"), "nbconvert", "ipykernel")
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", ROOT)
        ready.touch()
    return python


# The first variant of each experiment, with one seed.
MEASURE = """
from dataclasses import replace
from residual_lib.experiments import list_experiments

for experiment in list_experiments():
    if not (experiment.lacks and experiment.lacks()):
        first = dict([next(iter(experiment.variants.items()))])
        table = replace(experiment, variants=first).table(seeds=1, progress=False)
        assert len(table) and table.attrs["provenance"]["from_store"] == 0, experiment.name
        print(experiment.name)
"""


@pytest.mark.parametrize("pins", ENVIRONMENTS)
def test_every_experiment_measures(pins, tmp_path, request):
    python = environment(request.node.callspec.id, pins())
    have = run(python, "-m", "pip", "freeze").lower().replace("-", "_")
    for name in NEEDS:
        if name in pins():
            assert f"{name}=={pins()[name]}".lower().replace("-", "_") in have
    store = {"RESIDUAL_LIB_STORE": str(tmp_path / "trials"), "PYTHONWARNINGS": "ignore"}
    measured = run(python, "-c", MEASURE, cwd=tmp_path, env={**os.environ, **store}).split()
    assert len(measured) >= len(CHAPTERS)


@pytest.mark.parametrize("pins", ENVIRONMENTS)
def test_chapters_run(pins, tmp_path, request):
    python = environment(request.node.callspec.id, pins())
    assert CHAPTERS, "chapters/ has no notebook"
    run(
        *(python, "-m", "nbconvert", "--to", "notebook", "--execute"),
        *("--output-dir", tmp_path / "out"),
        *CHAPTERS,
        cwd=tmp_path,
        # Jupyter finds its kernel by PATH.
        env={
            **os.environ,
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONWARNINGS": "ignore",
        },
    )
    assert len(list((tmp_path / "out").glob("*.ipynb"))) == len(CHAPTERS)
