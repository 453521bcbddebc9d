"""How many facts one event may lead to: so many of each kind, and one that counts what was left out."""

from collections import Counter
from collections.abc import Sequence

from steno.core.facts import NAMES, Fact, FactsOmitted
from steno.limits import FACTS_OF_A_KIND


def within_bounds(facts: Sequence[Fact]) -> Sequence[Fact]:
    """Return the `facts` of one event, at most `FACTS_OF_A_KIND` of each kind, and one that counts what was left out.

    What there is once in an event, such as the end of a response, is never left out, wherever it stands.
    """
    seen: Counter[type[Fact]] = Counter()
    kept: list[Fact] = []
    for fact in facts:
        seen[type(fact)] += 1
        if seen[type(fact)] <= FACTS_OF_A_KIND:
            kept.append(fact)
    if len(kept) == len(facts):
        return facts
    cut = tuple(NAMES[kind] for kind, number in seen.items() if number > FACTS_OF_A_KIND)
    return (*kept, FactsOmitted(facts=cut, omitted=len(facts) - len(kept)))
