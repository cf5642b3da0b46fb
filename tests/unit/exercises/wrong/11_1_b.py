# hint: what is computed
branches = 40.5
saved = 0.75
