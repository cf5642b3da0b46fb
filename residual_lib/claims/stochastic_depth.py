"""What chapter 11 claims about stochastic depth."""

CLAIMS = ()
