# hint: the probabilities to be dropped
def survival(final_rate, blocks):
    return [final_rate * block / max(1, blocks - 1) for block in range(blocks)]
