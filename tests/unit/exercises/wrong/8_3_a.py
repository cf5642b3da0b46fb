# hint: On the way up
def output_size(size, levels):
    size = size - 4
    return size if levels == 0 else 2 * output_size(size // 2, levels - 1)
