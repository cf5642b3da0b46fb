# hint: diagonal in the channels
def together(dense, pointwise, identity):
    kernel = dense.copy()
    kernel[:, :, 1] += pointwise + identity[:, None]
    return kernel
