# hint: That is the gate itself
def opening(blocks, share):
    return share ** (1 / blocks)
