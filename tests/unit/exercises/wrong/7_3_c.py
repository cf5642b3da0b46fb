# hint: The block's input is kept as well
def kept(first, growth, links):
    return sum(first + growth * link for link in range(links)), growth * links
