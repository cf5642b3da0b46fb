# hint: Overfitting can't do that
a, b, c, d = "fine", "overfitting", "overfitting", "fine"
