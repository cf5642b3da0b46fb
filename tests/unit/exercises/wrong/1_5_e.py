# hint: one less than the number of examples
import torch


def growth(h, slope):
    h, slope = torch.as_tensor(h), torch.as_tensor(slope)
    return (slope**2).mean() / h.var()
