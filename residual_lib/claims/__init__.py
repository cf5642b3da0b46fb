"""The claims ledger: every empirical sentence of the course as a statement that runs.

One module a chapter lies beside this file and defines ``CLAIMS``, a tuple of `Claim`.

>>> from residual_lib import claims
>>> claims.ledger(chapter=2)
"""

from residual_lib.claims.framework.claim import Claim, Condition, above, below, between
from residual_lib.claims.framework.ledger import Ledger, ledger, show_verdicts
from residual_lib.claims.framework.registry import get, list_claims
from residual_lib.claims.framework.sabotage import Sabotage, sabotage, sabotage_all
from residual_lib.claims.framework.verdict import Verdict, evaluate

__all__ = [
    "Claim",
    "Condition",
    "Ledger",
    "Sabotage",
    "Verdict",
    "above",
    "below",
    "between",
    "evaluate",
    "get",
    "ledger",
    "list_claims",
    "sabotage",
    "sabotage_all",
    "show_verdicts",
]
