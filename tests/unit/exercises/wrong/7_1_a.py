# hint: The first link reads too
pairs = 12 * 11 // 2
channels = 16 + 12 * 12
