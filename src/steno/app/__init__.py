"""Composition roots, one a command, and what commands share: the operational log, output files, tables."""
