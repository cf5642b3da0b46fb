import numpy as np
import torch

from residual_lib import data
from residual_lib.models import create_model
from residual_lib.probes import gradient_norms

digits = data.load("digits")
batch = digits.x_train[:64], digits.y_train[:64]


def decades(gain, seed):
    """log10 of the gradient's norm at the first hidden layer over that at the last."""
    torch.manual_seed(seed)
    model = create_model("plain_mlp", width=64, depth=50, activation="tanh", init="xavier")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("weight"):
                weight.mul_(gain)
    norms = gradient_norms(model, batch)
    norms = norms[norms["metric"] == "input_gradient"]["value"].to_numpy()
    return np.log10(norms[1] / norms[-1])


gains = [1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3]
found = [abs(np.mean([decades(gain, seed) for seed in range(5)])) for gain in gains]
gain = gains[int(np.argmin(found))]
