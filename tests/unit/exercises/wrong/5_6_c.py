# hint: must fall faster than 1/l
def factor(block):
    return 1 - 1 / (block + 1)
