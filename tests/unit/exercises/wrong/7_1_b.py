# hint: The block's input is still there
pairs = 12 * 13 // 2
channels = 12 * 12
