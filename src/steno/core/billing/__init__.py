"""Usage and its price: tokens in disjoint buckets, the price table, exact arithmetic."""
