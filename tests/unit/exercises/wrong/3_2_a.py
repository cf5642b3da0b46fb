# hint: not its output
raises = [True, True, False, True]
