"""The chapters' experiments, by name and by chapter."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from types import ModuleType

from residual_lib.experiments.framework.experiment import Experiment


@cache
def chapters() -> dict[int, ModuleType]:
    """Chapter number -> the module of its experiments, in the order of the course.

    Raises:
        ValueError: two chapters claim one number, or two experiments one name.
    """
    package = importlib.import_module("residual_lib.experiments")
    modules = [
        importlib.import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
        if not info.ispkg
    ]
    return arranged(modules)


def arranged(modules: list[ModuleType]) -> dict[int, ModuleType]:
    """The modules by chapter, checked against each other."""
    found: dict[int, ModuleType] = {}
    names: dict[str, str] = {}
    for module in modules:
        for experiment in module.EXPERIMENTS:
            if found.setdefault(experiment.chapter, module) is not module:
                other = found[experiment.chapter].__name__
                raise ValueError(
                    f"chapter {experiment.chapter} is claimed by {other} and {module.__name__}"
                )
            if experiment.name in names:
                raise ValueError(
                    f"the experiment {experiment.name!r} is defined in {names[experiment.name]} "
                    f"and in {module.__name__}"
                )
            names[experiment.name] = module.__name__
    return dict(sorted(found.items()))


def list_experiments(chapter: int | str | None = None) -> list[Experiment]:
    """Every experiment, or those of one chapter, given by number or module name.

    Raises:
        ValueError: there is no such chapter.
    """
    numbers = list(chapters()) if chapter is None else [chapter_number(chapter)]
    return [experiment for number in numbers for experiment in chapters()[number].EXPERIMENTS]


def get(name: str) -> Experiment:
    """The experiment called `name`.

    Raises:
        ValueError: there is none; the message lists what there is.
    """
    known = {experiment.name: experiment for experiment in list_experiments()}
    if name not in known:
        close = difflib.get_close_matches(str(name), known, n=3) or sorted(known)
        raise ValueError(f"there is no experiment {name!r}; there are: {', '.join(close)}")
    return known[name]


def chapter_number(chapter: int | str) -> int:
    """The number of a chapter that is given by number or by module name.

    Raises:
        ValueError: there is no such chapter; the message lists what there is.
    """
    names = {module.__name__.rpartition(".")[2]: number for number, module in chapters().items()}
    number = names.get(str(chapter), int(chapter) if str(chapter).isdigit() else -1)
    if number not in chapters():
        known = ", ".join(f"{number} ({name})" for name, number in names.items())
        raise ValueError(f"there is no chapter {chapter!r}; there are: {known or 'none yet'}")
    return number
