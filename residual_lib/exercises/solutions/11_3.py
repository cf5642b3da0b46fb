def survival(final_rate, blocks):
    if blocks == 1:
        return [1.0]
    return [1 - final_rate * block / (blocks - 1) for block in range(blocks)]
