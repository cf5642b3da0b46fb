# Link l reads l things: 1 + 2 + ... + 12.
pairs = 12 * 13 // 2
channels = 16 + 12 * 12
