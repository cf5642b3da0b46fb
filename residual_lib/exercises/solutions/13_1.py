famous = 9.0 - 4.49
alike = 7.1 - 4.49
