def blocks_to_add(have, want):
    # Stem and head stay: only blocks of two layers are added.
    return (want - have) // 2
