def largest_step(eigenvalues):
    # |1 + h z|^2 = 1 + 2 h re + h^2 (re^2 + im^2) is below 1 where h < -2 re / (re^2 + im^2).
    return min(-2 * re / (re**2 + im**2) for re, im in eigenvalues)
