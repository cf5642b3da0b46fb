# hint: Biases and the norms' gains are missing
attention = 4 * 768 * 768
mlp = 8 * 768 * 768
layer = attention + mlp
