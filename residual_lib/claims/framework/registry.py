"""The chapters' claims."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from types import ModuleType

from residual_lib import experiments
from residual_lib.claims.framework.claim import Claim


def list_claims(chapter: int | str | None = None) -> list[Claim]:
    """Every claim in the order of ids, or those of one chapter, given by number or name.

    Raises:
        ValueError: there is no such chapter, two claims have one id, or a claim is about an
            experiment that doesn't exist.
    """
    claims = arranged(_modules())
    if chapter is None:
        return claims
    number = experiments.chapter_number(chapter)
    return [claim for claim in claims if claim.chapter == number]


def get(id: str) -> Claim:
    """The claim with this id.

    Raises:
        ValueError: there is none; the message lists what there is.
    """
    claims = {claim.id: claim for claim in list_claims()}
    if id not in claims:
        close = difflib.get_close_matches(str(id), claims, n=3) or list(claims)
        raise ValueError(f"there is no claim {id!r}; there are: {', '.join(close)}")
    return claims[id]


def arranged(modules: Iterable[ModuleType]) -> list[Claim]:
    """The modules' claims in the order of ids, checked against each other."""
    known = {experiment.name for experiment in experiments.list_experiments()}
    found: dict[str, str] = {}
    claims: list[Claim] = []
    for module in modules:
        for claim in module.CLAIMS:
            if claim.id in found:
                raise ValueError(
                    f"claim {claim.id} is defined in {found[claim.id]} and in {module.__name__}"
                )
            if claim.experiment not in known:
                raise ValueError(
                    f"claim {claim.id} is about {claim.experiment!r}, which is no experiment; "
                    f"there are: {', '.join(sorted(known)) or 'none yet'}"
                )
            found[claim.id] = module.__name__
            claims.append(claim)
    return sorted(claims, key=lambda claim: claim.order)


@cache
def _modules() -> tuple[ModuleType, ...]:
    package = importlib.import_module("residual_lib.claims")
    return tuple(
        importlib.import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
        if not info.ispkg
    )
