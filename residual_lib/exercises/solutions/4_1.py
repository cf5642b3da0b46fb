# A has no parameters: every second pixel, and zeros.
option_a = 0

# One weight for each pair of channels, and batch normalisation's scale and shift.
option_b = 64 * 128 + 2 * 128
