# hint: a scale and a shift for each
option_a = 0
option_b = 64 * 128
