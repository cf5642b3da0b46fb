middle = 512 // 16
parameters = 512 * middle + middle + middle * 512 + 512
gates = 8 * 512
