"""The library behind the course: one module, one training loop, one set of probes."""

__version__ = "0.1.0"
