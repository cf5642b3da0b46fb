def seen(size, kernel, stride):
    positions = set()
    for centre in range(0, size, stride):
        positions.update(range(centre - kernel // 2, centre + kernel // 2 + 1))
    return len(positions & set(range(size)))  # the padding is no position
