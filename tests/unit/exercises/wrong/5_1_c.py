# hint: not ten per cent of the beginning
left = 1 - 54 * 0.1
factor = 0.5 ** (1 / 54)
