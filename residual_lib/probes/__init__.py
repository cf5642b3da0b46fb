"""Measurements on any model: ``probe(model, batch, ...) -> tidy table``.

A probe never changes the model: parameters, gradients, running statistics and mode stay as they
were. A batch is ``(x, y)``: inputs and targets as the model's loss takes them.
"""

from residual_lib.probes.activations import activation_statistics
from residual_lib.probes.correlations import autocorrelation, gradient_covariance, noise
from residual_lib.probes.gates import expected_correlation, gate_correlation
from residual_lib.probes.gradients import gradient_norms
from residual_lib.probes.heads import lesion_heads
from residual_lib.probes.identityness import identityness
from residual_lib.probes.jacobian import jacobian_by_depth, jacobian_singular_values
from residual_lib.probes.landscape import landscape, landscape_line, random_direction
from residual_lib.probes.lens import logit_lens, logit_lens_positions
from residual_lib.probes.lesion import lesion, lesion_random, lesion_reorder
from residual_lib.probes.paths import gradient_by_length, path_gradient, path_lengths, paths
from residual_lib.probes.rank import rank_collapse
from residual_lib.probes.shattering import shattering, shattering_seeds
from residual_lib.probes.stream import residual_stream

__all__ = [
    "activation_statistics",
    "autocorrelation",
    "expected_correlation",
    "gate_correlation",
    "gradient_by_length",
    "gradient_covariance",
    "gradient_norms",
    "identityness",
    "jacobian_by_depth",
    "jacobian_singular_values",
    "landscape",
    "landscape_line",
    "lesion",
    "lesion_heads",
    "lesion_random",
    "lesion_reorder",
    "logit_lens",
    "logit_lens_positions",
    "noise",
    "path_gradient",
    "path_lengths",
    "paths",
    "random_direction",
    "rank_collapse",
    "residual_stream",
    "shattering",
    "shattering_seeds",
]
