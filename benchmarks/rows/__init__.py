"""What is measured, a program a subject: `python -m benchmarks.rows.<name>`; see `benchmarks/figures.py`."""
