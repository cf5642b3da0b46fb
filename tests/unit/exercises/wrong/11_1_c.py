# hint: the paper's line
branches = (3 * 54 - 1) / 4
saved = 1 - branches / 54
