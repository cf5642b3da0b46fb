# hint: The model normalises before it reads out
def lens(stream, embeddings):
    return (stream @ embeddings.T).argmax(axis=1)
