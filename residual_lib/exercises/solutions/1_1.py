# The slope sigmoid(z) (1 - sigmoid(z)) is greatest where sigmoid(z) = 1/2, that is at z = 0.
steepest = 0.25

# The chain rule multiplies one slope for each layer, and none is greater than 1/4.
# Only the first layer can have it: what comes out of a sigmoid is never 0. So it isn't reached.
bound = 0.25**10
