# hint: A projection is 1x1
option_a = 0
option_b = 64 * 128 * 3 * 3 + 2 * 128
