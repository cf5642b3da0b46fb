# A product of equal factors is a power ...
left = 0.9**54  # 0.0034: ten per cent a block is not harmless

# ... and the factor is a root of the product.
factor = 0.5 ** (1 / 54)  # 0.987
