"""What judges claims: the claim, its verdict, the ledger of verdicts, and the sabotage."""
