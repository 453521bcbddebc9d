"""Prometheus metrics: what each one means, how facts are counted, and how the numbers are exposed."""
