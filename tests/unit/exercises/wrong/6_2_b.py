# hint: share of the lengths
def share_of_paths(blocks, low, high):
    return (high - low + 1) / (blocks + 1)
