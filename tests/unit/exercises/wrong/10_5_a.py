# hint: never below 0
def bounds(alpha, largest, blocks):
    return (1 - alpha * largest) ** blocks, (1 + alpha * largest) ** blocks
