"""Verifies an audit log: reads its files, checks the chain, and reports what was found."""
