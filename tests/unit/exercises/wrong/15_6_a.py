# hint: A step also turns
def largest_step(eigenvalues):
    return min(-2 / re for re, im in eigenvalues)
