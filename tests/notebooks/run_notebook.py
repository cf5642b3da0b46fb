"""Run a notebook under nbval: cells tagged `nbval-check-output` are compared, no other."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


def nbval(notebook: Path) -> tuple[bool, str]:
    """Execute every cell from top to bottom; whether all is as stored, and nbval's report."""
    command = [
        *(sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env"),
        *("-p", "no:cacheprovider", "--color=no", "-W", "ignore", str(notebook)),
    ]
    # The live face draws one frame; the site's build draws them all.
    live = {**os.environ, "RESIDUAL_LIB_EXPLORER": "live"}
    done = subprocess.run(command, cwd=ROOT, env=live, capture_output=True, text=True, check=False)
    # 1 is 'a test failed'; anything else means that nbval itself did not run.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode == 0, done.stdout
