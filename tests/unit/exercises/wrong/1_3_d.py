# hint: expected the shape (fan_out, fan_in) = (300, 400), got (400, 300)
import torch


def relu_weights(fan_in, fan_out):
    return (2 / fan_in) ** 0.5 * torch.randn(fan_in, fan_out)
