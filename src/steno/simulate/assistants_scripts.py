"""The texts of the simulated assistants: two offices, each with a function to call and sums to compute in code."""

from typing import Any, Final

import msgspec


class Call(msgspec.Struct, frozen=True):
    """A function call, its output, and the answer that follows."""

    arguments: dict[str, str]
    output: str
    answer: str


class Sum(msgspec.Struct, frozen=True):
    """A program for the code interpreter, its output, and the answer that follows."""

    code: str
    printed: str
    answer: str


class Office(msgspec.Struct, frozen=True):
    """One assistant: its configuration, and the texts of its runs."""

    model: str
    instructions: str
    instruction_tokens: int
    function: dict[str, Any]
    answers: tuple[str, ...]
    long_answers: tuple[str, ...]
    """Answers for runs that a token limit or a failure ends early."""
    calls: tuple[Call, ...]
    sums: tuple[Sum, ...]


_WAREHOUSE: Final = Office(
    model="gpt-4o",
    instructions="You keep the stock of a garden supplier. Check the stock before you promise a delivery.",
    instruction_tokens=1130,
    function={
        "name": "stock_of",
        "description": "Say how many of an article are in stock.",
        "parameters": {
            "type": "object",
            "properties": {"article": {"type": "string"}, "site": {"type": "string"}},
            "required": ["article", "site"],
        },
        "strict": False,
    },
    answers=(
        "The delivery to Weston left this morning and should be there by noon.",
        "Pallets of peat are stacked four high at most, bark may go to six.",
        "I moved the two late orders to Thursday's van and told both customers.",
        "The new watering cans are listed, but they have no picture yet.",
    ),
    long_answers=(
        (
            "Before the spring sale starts, three things are still open: the shelves in hall two have to be "
            "labelled again, the supplier of the clay pots has not confirmed the second delivery, and nobody "
            "is down for the Saturday shift at the loading ramp."
        ),
        (
            "The returns of last week fall into two groups, hoses with a leaking valve, which all come from "
            "one batch and go back to the maker, and seed packets that were ordered twice by mistake, which "
            "can be put back on the shelf."
        ),
    ),
    calls=(
        Call(
            {"article": "clay pot 30 cm", "site": "Weston"},
            '{"in_stock":42}',
            "There are 42 of the large clay pots at Weston, enough for the order.",
        ),
        Call(
            {"article": "bark mulch", "site": "Ashby"},
            '{"in_stock":0,"due":"2 days"}',
            "Ashby has run out of bark mulch; more arrives in two days.",
        ),
    ),
    sums=(
        Sum(
            "bags = [18, 24, 11]\nweight = sum(bags) * 25\nprint(weight)\n",
            "1325\n",
            "Together the bags weigh 1325 kilos, so one pallet truck will do.",
        ),
        Sum(
            "price = 3.40 * 160\nprint(round(price * 0.92, 2))\n",
            "500.48\n",
            "With the discount of eight percent the order comes to 500.48 euros.",
        ),
    ),
)

_TRAVEL: Final = Office(
    model="gpt-4o-mini",
    instructions="You plan journeys for the staff of a museum. Prefer trains. Stay within the travel rules.",
    instruction_tokens=1310,
    function={
        "name": "next_train",
        "description": "Find the next direct train.",
        "parameters": {
            "type": "object",
            "properties": {"start": {"type": "string"}, "destination": {"type": "string"}},
            "required": ["start", "destination"],
        },
        "strict": False,
    },
    answers=(
        "Your seat to Leiden is booked, coach 7, by the window.",
        "The rules allow a hotel of up to 140 euros a night in the capital.",
        "I sent the receipts of April on; two of them were missing a date.",
        "Crates over thirty kilos travel with the courier, not as luggage.",
    ),
    long_answers=(
        (
            "For the loan of the two maps there are several ways to travel: a courier by road takes a day "
            "longer but needs no customs stop, the night train is quicker and cheaper for one person, and a "
            "flight would only make sense if the second crate stays here."
        ),
        (
            "The visit can be arranged like this: on the first day you arrive before noon, meet the "
            "restorers and see the workshop, on the second day the paintings are examined one by one, and in "
            "the evening a train brings you back."
        ),
    ),
    calls=(
        Call(
            {"start": "Ghent", "destination": "Antwerp"},
            '{"departs":"14:08","platform":"9"}',
            "The next train to Antwerp leaves at 14:08 from platform 9.",
        ),
        Call(
            {"start": "Leiden", "destination": "Delft"},
            '{"departs":"10:31","platform":"4","late_minutes":6}',
            "Take the 10:31 from platform 4, it is about six minutes late.",
        ),
    ),
    sums=(
        Sum(
            "nights = 3\ncost = nights * 128.5 + 2 * 61.0\nprint(cost)\n",
            "507.5\n",
            "Three nights and both tickets add up to 507.50 euros.",
        ),
        Sum(
            "km = 84 + 127\nprint(km, round(km * 0.24, 2))\n",
            "211 50.64\n",
            "For 211 kilometres you may claim 50.64 euros.",
        ),
    ),
)

OFFICES: Final = (_WAREHOUSE, _TRAVEL)

ERRORS: Final[tuple[tuple[str, str], ...]] = (
    ("rate_limit_exceeded", "The simulated rate limit is used up; the run cannot go on."),
    ("server_error", "The simulated model stopped while it was writing."),
)
"""How a run fails: the code of its last error, and the message."""
