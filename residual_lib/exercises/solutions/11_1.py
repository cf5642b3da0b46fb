branches = 54 * (1 + 0.5) / 2  # the mean of a straight line is that of its ends
saved = 1 - branches / 54
