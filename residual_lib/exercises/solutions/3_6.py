# Fifty blocks keep (1 - g)^50 with g = sigmoid(bias): 0.6 needs g below 0.0102, and g above 0.005
# is wanted. sigmoid(-5) = 0.0067 lies between.
bias = -5.0
