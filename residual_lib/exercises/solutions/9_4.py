def parameters(n_layer, n_embd, vocab_size, block_size):
    attention = 4 * (n_embd**2 + n_embd)
    mlp = 8 * n_embd**2 + 5 * n_embd
    norm = 2 * n_embd
    layer = attention + mlp + 2 * norm
    return (vocab_size + block_size) * n_embd + n_layer * layer + norm
