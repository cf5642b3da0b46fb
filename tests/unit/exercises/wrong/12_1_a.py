# hint: Both layers have biases
parameters = 2 * 512 * 32
gates = 8 * 512
