# hint: without its own features
def kept(first, growth, links):
    return sum(first + growth * link for link in range(1, links + 1)), first + growth * links
