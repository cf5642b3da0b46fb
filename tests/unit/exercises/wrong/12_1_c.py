# hint: The 32 units stand in the middle
parameters = 2 * 512 * 32 + 32 + 512
gates = 8 * 32
