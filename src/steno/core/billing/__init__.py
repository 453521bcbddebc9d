"""Usage and its price.

usage.py        what one usage was: tokens in disjoint buckets, or a duration
rates.py        the rates of one model
price_table.py  the price list, and the name under which a model is found
prices.py       exact arithmetic over usage and rates
costs.py        what a usage cost, for its fact and for the totals of its conversation
sessions.py     what a Live session costs, which reports its time over and over
tools.py        what built-in tools cost beside the tokens of a response
claims.py       who is billed where several sources follow one call
"""
