"""Writes the files into a folder: python -m builder.quiz.exports FOLDER"""

from __future__ import annotations

import sys
from pathlib import Path

from builder.errors import BuildError
from builder.quiz import exports

if len(sys.argv) != 2:
    sys.exit("usage: python -m builder.quiz.exports FOLDER")
try:
    exports.write(Path(sys.argv[1]))
except BuildError as error:
    sys.exit(f"no files were written: {error}")
for name in exports.FILES:
    print(Path(sys.argv[1]) / name)
