def factor(block):
    # It is l (l + 2) / (l + 1)^2 for block l: the product of the first L is (L + 2) / (2 L + 2),
    # always above a half. What a block takes, 1 / (l + 1)^2, has a finite sum.
    return 1 - 1 / (block + 1) ** 2
