# ReLU and sigmoid keep their output for backward; += overwrites it.
# Convolution and BatchNorm keep their input, which += leaves alone.
raises = [True, False, False, True]
