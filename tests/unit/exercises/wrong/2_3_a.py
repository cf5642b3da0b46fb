# hint: A block has two of them
def blocks_to_add(have, want):
    return want - have
