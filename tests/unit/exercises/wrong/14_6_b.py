# hint: the share is exceeded
def largest_rank(rows, columns, share):
    return int(share * rows * columns // (rows + columns)) + 1
