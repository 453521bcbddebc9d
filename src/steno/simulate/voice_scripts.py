"""The texts of the simulated callers and agents: a few small businesses that answer the phone.

Callers and agents speak in lines of fewer than ten words, so that a session of twenty seconds has several turns. Long
answers are for turns that are cut off.
"""

from typing import Any, Final

import msgspec


class Exchange(msgspec.Struct, frozen=True):
    """A caller's line and the agent's answer."""

    caller: str
    agent: str


class Lookup(msgspec.Struct, frozen=True):
    """A caller's line that needs a function call, the call, its output, and the answer."""

    caller: str
    arguments: dict[str, str]
    output: str
    agent: str


class Script(msgspec.Struct, frozen=True):
    """One business on the phone."""

    instructions: str
    tool: dict[str, Any]
    lookups: tuple[Lookup, ...]
    exchanges: tuple[Exchange, ...]
    long_answers: tuple[Exchange, ...]
    """Answers of twenty words and more, which the caller or a limit ends early."""
    goodbye: Exchange


DEFAULT_INSTRUCTIONS: Final = "You are a helpful voice agent. Speak in short, friendly sentences."
"""The instructions of a session before the client configures it."""

HOLDING_LINES: Final = ("Let me check.", "One second, please.", "Looking that up.")
"""What an agent says while it calls a function."""

INTERJECTIONS: Final = ("Sorry,", "Wait,", "No, hold on,")
"""What a caller says first who interrupts the agent."""


def _tool(name: str, description: str, **parameters: str) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": {
            "additionalProperties": False,
            "properties": {key: {"type": "string", "description": said} for key, said in parameters.items()},
            "required": list(parameters),
            "type": "object",
        },
    }


_HOTEL: Final = Script(
    instructions=(
        "You answer the phone of the Harbour Lantern, a hotel with forty rooms and a small restaurant. "
        "Quote prices in euros. Look up free rooms before you promise one. Never ask for card numbers; "
        "payment is taken at the desk on arrival. Keep every answer under ten words where you can."
    ),
    tool=_tool(
        "find_rooms",
        "Find free rooms for a night.",
        night="The night, as the caller said it",
        room="The kind of room: single, double or family",
    ),
    lookups=(
        Lookup(
            "Any double room free on Friday?",
            {"night": "Friday", "room": "double"},
            '{"free":3,"price_eur":118}',
            "Yes, three doubles, from 118 euros.",
        ),
        Lookup(
            "Do you have a family room tonight?",
            {"night": "tonight", "room": "family"},
            '{"free":1,"price_eur":164}',
            "One is left, for 164 euros.",
        ),
        Lookup(
            "A single for next Tuesday, please.",
            {"night": "next Tuesday", "room": "single"},
            '{"free":0,"price_eur":null}',
            "Sadly, singles are sold out that night.",
        ),
    ),
    exchanges=(
        Exchange("Is breakfast included in that?", "It is, from seven until half past ten."),
        Exchange("How late can we check in?", "The desk is open until midnight."),
        Exchange("Can I bring my dog along?", "Of course, small dogs stay for free."),
        Exchange("Where can I park the car?", "Behind the hotel, ask us for a code."),
    ),
    long_answers=(
        Exchange(
            "What is there to do nearby?",
            "There is plenty: the old lighthouse is a ten minute walk along the harbour wall, the fish "
            "market opens every morning at six, and on Sundays a ferry takes visitors to the bird islands.",
        ),
        Exchange(
            "Tell me about the rooms, please.",
            "All of our rooms look onto either the harbour or the walled garden, they have a writing desk, a "
            "kettle and a proper bathtub, and the corner rooms on the top floor have a balcony as well.",
        ),
    ),
    goodbye=Exchange("That is all, thank you.", "You are welcome, have a good day!"),
)

_CLINIC: Final = Script(
    instructions=(
        "You are the telephone assistant of a family clinic with four doctors. You find free appointments "
        "and answer questions about opening hours and prescriptions. You give no medical advice; a caller "
        "in an emergency is told to hang up and dial the emergency number. Be calm and brief."
    ),
    tool=_tool(
        "next_appointment",
        "Find the next free appointment with a doctor.",
        doctor="The doctor's family name",
        day="The earliest day that suits the caller",
    ),
    lookups=(
        Lookup(
            "When can I see Doctor Okafor?",
            {"doctor": "Okafor", "day": "any"},
            '{"day":"Wednesday","time":"09:40"}',
            "She has Wednesday at nine forty.",
        ),
        Lookup(
            "Has Doctor Lind time on Monday?",
            {"doctor": "Lind", "day": "Monday"},
            '{"day":"Monday","time":"15:20"}',
            "Yes, on Monday at three twenty.",
        ),
        Lookup(
            "I need Doctor Reyes this week.",
            {"doctor": "Reyes", "day": "this week"},
            '{"day":null,"time":null}',
            "He is away until next week, sorry.",
        ),
    ),
    exchanges=(
        Exchange("Are you open on Saturdays?", "Every second Saturday, from nine to one."),
        Exchange("Is my prescription ready yet?", "Repeats are ready after two working days."),
        Exchange("Do I need to bring anything?", "Only your insurance card, please."),
        Exchange("Can I cancel online as well?", "You can, up to a day before."),
    ),
    long_answers=(
        Exchange(
            "How do I get a referral?",
            "First you make an ordinary appointment with your own doctor, who writes the referral on the "
            "same day if it is needed, then our desk sends it on and the specialist's office calls you back.",
        ),
        Exchange(
            "What vaccinations do you offer?",
            "We give the usual vaccinations for children and adults, the yearly flu vaccine from October on, "
            "and most of those that travellers need, although some of them have to be ordered a week ahead.",
        ),
    ),
    goodbye=Exchange("Great, that helps a lot.", "Glad to hear it, goodbye!"),
)

_PARCEL: Final = Script(
    instructions=(
        "You handle calls for Quillpost, a parcel service. Find a parcel by its number before you say "
        "anything about it. You can explain opening times, sizes and claims. If a parcel is lost, open no "
        "claim by yourself: offer to pass the caller on to a colleague. Say numbers digit by digit."
    ),
    tool=_tool(
        "track_parcel",
        "Say where a parcel is.",
        number="The parcel's number, letters and digits without spaces",
    ),
    lookups=(
        Lookup(
            "Where is parcel Q 4 1 7?",
            {"number": "Q417"},
            '{"state":"in delivery","stops_before":6}',
            "In the van, six stops before you.",
        ),
        Lookup(
            "Track number Q 9 0 2, please.",
            {"number": "Q902"},
            '{"state":"held","place":"Millgate depot"}',
            "It waits for you at Millgate depot.",
        ),
        Lookup(
            "Any news about Q 6 6 3?",
            {"number": "Q663"},
            '{"state":"announced","place":null}',
            "The sender has not handed it over.",
        ),
    ),
    exchanges=(
        Exchange("Can my neighbour take it?", "Yes, just leave us a note online."),
        Exchange("Until when is the depot open?", "Until eight, and until two on Saturdays."),
        Exchange("How long do you keep parcels?", "Ten days, then they go back."),
        Exchange("Do you deliver in the evening?", "In most towns, until nine."),
    ),
    long_answers=(
        Exchange(
            "What if it arrives damaged?",
            "Then please keep the box and all of the packing, take two or three pictures on the day it "
            "comes, and fill in the short form on our page within a week, so that we can settle it quickly.",
        ),
        Exchange(
            "How big may a parcel be?",
            "The longest side may be one metre twenty, and all three sides together no more than two metres "
            "fifty, with a weight of up to thirty kilos; anything above that travels with our freight vans.",
        ),
    ),
    goodbye=Exchange("Perfect, thanks for your help.", "My pleasure, bye now!"),
)

SCRIPTS: Final = (_HOTEL, _CLINIC, _PARCEL)
