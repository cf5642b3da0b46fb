# hint: The other way round
a, b, c, d = "fine", "degradation", "overfitting", "fine"
