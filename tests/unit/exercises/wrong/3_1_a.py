# hint: counts what the code makes
total = 73984
idle = 128
