# hint: ends with one more LayerNorm
def parameters(n_layer, n_embd, vocab_size, block_size):
    layer = 12 * n_embd**2 + 13 * n_embd
    return (vocab_size + block_size) * n_embd + n_layer * layer
