# Two convolutions with 64 * 64 * 9 weights and 64 biases, two BatchNorms with a scale and a shift.
total = 2 * (64 * 64 * 9 + 64) + 2 * (64 + 64)
# BatchNorm subtracts the mean over the batch, and with it the bias of the convolution before it.
idle = 2 * 64
