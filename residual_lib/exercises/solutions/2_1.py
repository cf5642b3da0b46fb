a = "fine"
b = "overfitting"  # it knows its training data, and little else
c = "degradation"  # it fails on the data that it was trained on
d = "fine"
