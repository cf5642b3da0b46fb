# hint: Both layers have biases
def extra(blocks, r):
    return sum(number * 2 * c * c // r for c, number in blocks.items())
