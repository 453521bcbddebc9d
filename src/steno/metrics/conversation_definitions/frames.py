"""Metrics of frames and events, whatever they are about."""

from typing import Final

from steno.metrics.definition import Definition

FRAMES: Final = (
    Definition(
        "steno_events_total",
        "counter",
        ("source", "family", "event"),
        "Events by type; unknown types are `other`.",
    ),
    Definition(
        "steno_events_rejected_total",
        "counter",
        ("source", "reason"),
        "Frames that were no event, and events that did not fit the state of their conversation.",
    ),
    Definition(
        "steno_drifted_members_total",
        "counter",
        ("source",),
        "Members of events that were of an unexpected type and so read as absent, and unknown members of a usage.",
    ),
    Definition(
        "steno_duplicates_total",
        "counter",
        ("source",),
        "Events that were delivered again; they change nothing.",
    ),
    Definition(
        "steno_missed_events_total",
        "counter",
        ("source", "reason"),
        "Events that never came, as their sender's numbers or gap lines say, by why.",
    ),
    Definition(
        "steno_stream_gap_seconds_total",
        "counter",
        ("source",),
        "Seconds between two connections to one address, in which nothing was received.",
    ),
    Definition(
        "steno_facts_omitted_total",
        "counter",
        ("source",),
        "Facts that were left out, since one event led to too many of their kind.",
    ),
    Definition("steno_frame_bytes_total", "counter", ("source", "direction"), "Bytes of frames, uncompressed."),
)
