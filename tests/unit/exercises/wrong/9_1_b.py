# hint: Behind the heads stands one more layer
attention = 3 * (768 * 768 + 768)
mlp = 8 * 768 * 768 + 5 * 768
layer = attention + mlp + 4 * 768
