def bounds(alpha, largest, blocks):
    reach = alpha * largest
    return max(0, 1 - reach) ** blocks, (1 + reach) ** blocks
