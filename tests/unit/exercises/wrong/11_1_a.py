# hint: The first is always kept
branches = 27
saved = 0.5
