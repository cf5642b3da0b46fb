# hint: only where backward needs the number
raises = [True, True, True, True]
