def output_size(size, levels):
    size = size - 4  # two convolutions down
    if levels == 0:
        return size
    return 2 * output_size(size // 2, levels - 1) - 4  # and two up
