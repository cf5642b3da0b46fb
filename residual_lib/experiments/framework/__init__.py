"""What carries trials about: keys, files, workers, tables. It can't change what they measure."""
