attention = 4 * (768 * 768 + 768)
mlp = 768 * 3072 + 3072 + 3072 * 768 + 768
layer = attention + mlp + 2 * 2 * 768
