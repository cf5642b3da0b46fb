# hint: Two matrices have to be paid for
def largest_rank(rows, columns, share):
    return int(share * min(rows, columns))
