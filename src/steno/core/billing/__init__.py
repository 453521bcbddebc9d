"""Usage and what it costs: tokens in disjoint buckets, the price table, exact arithmetic."""
