def kept(first, growth, links):
    # The growing sum is links * first + growth * links * (links - 1) / 2: the square.
    return sum(first + growth * link for link in range(links)), first + growth * links
