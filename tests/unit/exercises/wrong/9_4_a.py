# hint: count them once
def parameters(n_layer, n_embd, vocab_size, block_size):
    layer = 12 * n_embd**2 + 13 * n_embd
    return (2 * vocab_size + block_size) * n_embd + n_layer * layer + 2 * n_embd
