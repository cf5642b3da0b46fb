# hint: the paper's line
def survival(final_rate, blocks):
    return [1 - final_rate * block / blocks for block in range(1, blocks + 1)]
