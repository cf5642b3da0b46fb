# hint: 4 in all
def output_size(size, levels):
    size = size - 2
    return size if levels == 0 else 2 * output_size(size // 2, levels - 1) - 2
