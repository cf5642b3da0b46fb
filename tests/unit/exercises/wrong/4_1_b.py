# hint: no bias: the normalisation
option_a = 0
option_b = (64 + 1) * 128 + 2 * 128
