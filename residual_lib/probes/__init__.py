"""Measurements on any model: ``probe(model, batch, ...) -> tidy table``.

A probe never changes the model: parameters, gradients, running statistics and mode stay as they
were. A batch is ``(x, y)``: inputs and targets as the model's loss takes them.
"""

from residual_lib.probes.activations import activation_statistics
from residual_lib.probes.gradients import gradient_norms
from residual_lib.probes.identityness import identityness
from residual_lib.probes.jacobian import jacobian_singular_values
from residual_lib.probes.lesion import lesion, lesion_random, lesion_reorder
from residual_lib.probes.paths import gradient_by_length, path_gradient, path_lengths, paths

__all__ = [
    "activation_statistics",
    "gradient_by_length",
    "gradient_norms",
    "identityness",
    "jacobian_singular_values",
    "lesion",
    "lesion_random",
    "lesion_reorder",
    "path_gradient",
    "path_lengths",
    "paths",
]
