# hint: the strictest one decides
def largest_step(eigenvalues):
    return max(-2 * re / (re**2 + im**2) for re, im in eigenvalues)
