"""The store of trials: one file a trial, named by what it depends on."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from residual_lib.experiments.framework.sources import ROOT

FORMAT = 1  # part of every key: raise it when a change here changes what a trial holds


@dataclass(frozen=True)
class Trial:
    """What one variant gave with one seed: its rows, and how they came about."""

    table: pd.DataFrame
    provenance: dict[str, Any]


class Store:
    """A folder of trials. Reading and writing are safe while other processes do the same.

    Args:
        root: the folder; made when first written to. Default: ``RESIDUAL_LIB_STORE`` if set,
            ``.trials`` in the checkout that residual_lib runs from, else the user's cache folder.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = Path(root) if root is not None else default_root()

    def path(self, group: str, label: str, key: Mapping[str, Any]) -> Path:
        """The file of the trial with this key; `label` is what its older versions share."""
        digest = _hash({**key, "format": FORMAT})[:24]
        return self.root / group / f"{label}-{digest}.trial"

    def earlier(self, group: str, label: str) -> dict[str, Any] | None:
        """Provenance of the newest trial with this label, whatever code it was measured with."""
        files = (self.root / group).glob(f"{label}-*.trial")
        for path in sorted(files, key=lambda path: path.stat().st_mtime, reverse=True):
            if trial := self.read(path):
                return trial.provenance
        return None

    def read(self, path: Path) -> Trial | None:
        """The trial in `path`; None, with a line of notice, where the file is damaged."""
        try:
            checksum, _, body = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            print(f"store: {path.name} is damaged and is not used", file=sys.stderr)
            return None
        header, _, columns = body.partition(b"\n")
        return Trial(_unpack(columns), json.loads(header))

    def write(self, path: Path, trial: Trial) -> None:
        """Store `trial`: the file appears whole or not at all."""
        header = json.dumps(trial.provenance, sort_keys=True, allow_nan=False)
        body = header.encode() + b"\n" + _pack(trial.table)
        checksum = hashlib.sha256(body).hexdigest().encode()
        write_whole(path, checksum + b"\n" + body)


def default_root() -> Path:
    """Where trials are kept unless told otherwise."""
    if chosen := os.environ.get("RESIDUAL_LIB_STORE"):
        return Path(chosen).expanduser()
    if (ROOT.parent / "pyproject.toml").is_file():
        return ROOT.parent / ".trials"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "residual-lib" / "trials"


def label_of(function: str, params: Mapping[str, Any], profile: str, seed: int) -> str:
    """A file name's readable part, the same for all versions of the code."""
    name = re.sub(r"\W+", "_", function)
    return f"{name}-{_hash(params)[:10]}-{profile}-seed{seed}"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that no reader ever sees half written, not even after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _hash(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _pack(table: pd.DataFrame) -> bytes:
    """The columns as a compressed .npz that needs no pickle: text as codes into its words."""
    arrays: dict[str, np.ndarray] = {"columns": np.array(list(table.columns), dtype=str)}
    for number, name in enumerate(table.columns):
        column = table[name]
        if pd.api.types.is_numeric_dtype(column):  # bool is numeric here
            values = column.to_numpy()
            arrays[f"{number}"] = values.astype(float) if values.dtype == object else values
        else:
            codes, words = pd.factorize(column)
            arrays[f"{number}"] = codes.astype(np.int32)
            arrays[f"{number}w"] = np.array([str(word) for word in words], dtype=str)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpack(content: bytes) -> pd.DataFrame:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        columns = {}
        for number, name in enumerate(arrays["columns"].tolist()):
            values = arrays[f"{number}"]
            if f"{number}w" in arrays:
                words = np.array([*arrays[f"{number}w"].tolist(), None], dtype=object)
                values = words[values]  # code -1 is a missing text: None
            columns[name] = values
    return pd.DataFrame(columns)
