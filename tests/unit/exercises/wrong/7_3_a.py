# hint: Not every link reads all
def kept(first, growth, links):
    once = first + growth * links
    return links * once, once
