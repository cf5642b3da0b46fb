"""The source code that an experiment can reach: what makes a stored trial out of date."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "residual_lib"
ROOT = Path(__file__).resolve().parents[2]  # the folder residual_lib/
# The framework hands parameters to an experiment and stores what comes back. Its changes are not
# changes of what was measured; where one is, `store.FORMAT` goes up.
PLUMBING = f"{PACKAGE}.experiments.framework"


@cache
def source_hash(module: str) -> str:
    """Hash the code of `module` and of all of residual_lib that it imports, directly or not.

    Comments, docstrings and layout don't count: prose may be edited without measuring anew. The
    code is read once per process, so the hash stays that of the code the process runs.
    """
    digest = hashlib.sha256()
    for name in sorted(reachable(module)):
        digest.update(f"{name}\n{_code(_path(name))}\n".encode())
    return digest.hexdigest()


def reachable(module: str) -> set[str]:
    """Names of `module` and of the modules of residual_lib that its imports lead to."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or name.startswith(PLUMBING) or name == f"{PACKAGE}.experiments":
            continue
        found.add(name)
        waiting += [*_packages(name), *_imports(name)]
    return found


def _imports(module: str) -> Iterator[str]:
    path = _path(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, node.module or ""] if node.level else [node.module or ""])
            base = base.rstrip(".")
            # `from package import name`: the name may be a module.
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] == PACKAGE and _find(name):
                yield name


def _packages(module: str) -> Iterator[str]:
    """The packages above a module of residual_lib: importing it runs them too."""
    while module.split(".")[0] == PACKAGE and "." in module:
        module = module.rpartition(".")[0]
        yield module


def _find(module: str) -> Path | None:
    stem = ROOT.joinpath(*module.split(".")[1:])
    candidates = (stem / "__init__.py", stem.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


def _path(module: str) -> Path:
    if module.split(".")[0] == PACKAGE and (path := _find(module)):
        return path
    file = getattr(sys.modules.get(module), "__file__", None)
    if not file:
        raise ValueError(f"run must be a function of a module with a file, got one of {module!r}")
    return Path(file)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _code(path: Path) -> str:
    """The file's syntax tree without docstrings, as text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return ast.dump(tree)
