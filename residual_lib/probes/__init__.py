"""Measurements on any model: ``probe(model, batch, ...) -> tidy table``.

A probe never changes the model: parameters, gradients, running statistics and mode stay as they
were. A batch is ``(x, y)``: inputs and targets as the model's loss takes them.
"""

from residual_lib.probes.activations import activation_statistics
from residual_lib.probes.gradients import gradient_norms
from residual_lib.probes.jacobian import jacobian_singular_values

__all__ = ["activation_statistics", "gradient_norms", "jacobian_singular_values"]
