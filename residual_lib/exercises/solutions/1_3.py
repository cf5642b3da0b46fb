import torch


def relu_weights(fan_in, fan_out):
    # E[y^2] = fan_in * std^2 * E[x^2] before the ReLU, which then lets half of it through.
    std = (2 / fan_in) ** 0.5
    return std * torch.randn(fan_out, fan_in)
