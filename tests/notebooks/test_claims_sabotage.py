"""No claim of the course may survive that its mechanism is taken away.

Beside the notebooks because it needs every trial, which the store has by now.
"""

import pytest

from residual_lib import claims, experiments

CHAPTERS = sorted({claim.chapter for claim in claims.list_claims()})


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_claim_survives_sabotage(chapter):
    found = claims.sabotage_all(chapter, progress=False)
    survivors = [str(result) for result in found if result.survives]
    assert not survivors, "\n".join(survivors)


def test_every_chapter_with_experiments_has_claims():
    # What stands under 0 belongs to no one chapter, and needs data that nobody here has to have.
    assert set(CHAPTERS) == set(experiments.chapters()) - {0}
