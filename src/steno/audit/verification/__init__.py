"""Proving an audit log: reading its files, checking the chain, and reporting what was found."""
