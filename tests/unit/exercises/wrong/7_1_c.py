# hint: can't read what comes after it
pairs = 12 * 12
channels = 16 + 12 * 12
