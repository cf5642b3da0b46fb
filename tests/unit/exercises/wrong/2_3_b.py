# hint: not the added ones
def blocks_to_add(have, want):
    return (want - 2) // 2
