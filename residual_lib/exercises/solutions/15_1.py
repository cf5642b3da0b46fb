# A convolution reads one map and writes another: 2 maps, and with a skip its map as well. The sum
# comes later, when the branch's inner map is gone, so that writing it in place saves nothing here.
plain = 2 * 4
residual = 3 * 4
in_place = 3 * 4
