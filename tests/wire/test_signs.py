"""Names of events that several families have: which family it is, by the event, and by what its stream was so far."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from steno.wire import Decoder, Drifted, PairedEvent, Sign, TypedEvent, Unknown, Vocabulary
from steno.wire.base import SIGN, Wire


class Report(Wire, frozen=True):
    """An object that both families have."""

    id: str | None = None
    object: Annotated[Literal["sea.report"] | None, Meta(extra={SIGN: True})] = None


class SeaReport(TypedEvent, frozen=True, tag="report"):
    """The sea's."""

    report: Report | None = None
    height: UnsetType = UNSET
    tide: str | None = None


class SeaError(TypedEvent, frozen=True, tag="error"):
    """The sea's."""

    height: UnsetType = UNSET
    steep: UnsetType = UNSET


class SeaTide(TypedEvent, frozen=True, tag="tide"):
    """No other family has it."""


class HillReport(TypedEvent, frozen=True, tag="report"):
    """The hills'."""

    height: int | None = None
    tide: UnsetType = UNSET
    report: UnsetType = UNSET


class HillError(TypedEvent, frozen=True, tag="error"):
    """The hills'."""

    tide: UnsetType = UNSET
    steep: int | None = None


class HillPath(TypedEvent, frozen=True, tag="path"):
    """No other family has it."""


class Wind(TypedEvent, frozen=True, tag="wind"):
    """Of a family whose names nobody else has."""


SEA = Vocabulary(
    typed=(SeaReport, SeaError, SeaTide),
    signs=(Sign(member="tide", weight=2), Sign(member="report", inner="object", begins="sea.", weight=2)),
)
HILLS = Vocabulary(
    typed=(HillReport, HillError, HillPath),
    signs=(
        Sign(member="height", weight=4),
        Sign(member="report", inner="object", begins="hill.", weight=1),
        Sign(member="steep", event="error", weight=1),
    ),
)
AIR = Vocabulary(typed=(Wind,))
DECODER = Decoder({"sea": SEA, "hills": HILLS, "air": AIR})
ON_HILLS = DECODER.of("hills")


def told(value: Any, decoder: Any = DECODER) -> Any:
    return decoder.decode(msgspec.json.encode(value))


def test_without_a_sign_it_is_of_the_family_of_the_stream() -> None:
    """The first one, where nothing is known of the stream."""
    assert told({"type": "report"}) == SeaReport()
    assert told({"type": "report"}, ON_HILLS) == HillReport()
    assert told({"type": "error"}, ON_HILLS) == HillError()


def test_a_sign_goes_before_what_the_stream_was() -> None:
    """Both families show some, and the heavier one tells."""
    assert told({"type": "report", "height": 7}) == HillReport(height=7)
    assert told({"type": "report", "tide": "low"}, ON_HILLS) == SeaReport(tide="low")
    assert told({"type": "report", "tide": "low", "height": 7}) == HillReport(height=7)
    assert told({"type": "report", "tide": "low", "report": {"object": "hill.report"}}, ON_HILLS) == SeaReport(
        tide="low", report=Report()
    )


def test_of_signs_that_weigh_the_same_the_stream_tells() -> None:
    """Half of them each is none."""
    even = Decoder({"sea": SEA, "hills": msgspec.structs.replace(HILLS, signs=(Sign(member="height", weight=2),))})
    both = {"type": "report", "tide": "low", "height": 7}
    assert told(both, even) == SeaReport(tide="low")
    assert told(both, even.of("hills")) == HillReport(height=7)


def test_an_object_tells_by_what_it_is() -> None:
    """One of another name is of the other family, or of this one where the other does not know it. It is no drift."""
    assert told({"type": "report", "report": {"id": "r", "object": "sea.report"}}) == SeaReport(
        report=Report(id="r", object="sea.report")
    )
    assert told({"type": "report", "report": {"id": "r", "object": "hill.report"}}) == HillReport()
    assert told({"type": "report", "report": {"id": "r", "object": "sky.report"}}) == SeaReport(report=Report(id="r"))
    assert told({"type": "report", "report": "hill.report"}) == Drifted(event=SeaReport(), members=1)
    assert told({"type": "report", "report": {"object": ["hill."]}}) == SeaReport(report=Report())


def test_null_is_no_sign() -> None:
    """As it is no member anywhere."""
    assert told({"type": "report", "height": None}) == SeaReport()
    assert told({"type": "report", "tide": None}, ON_HILLS) == HillReport()


def test_a_sign_may_be_that_of_one_event_alone() -> None:
    """Elsewhere it is any member."""
    assert told({"type": "error", "steep": 1, "height": None}) == HillError(steep=1)
    assert told({"type": "report", "steep": 1, "height": None}) == SeaReport()


def test_what_a_first_look_does_not_see_is_no_sign() -> None:
    """The looks at an event are to agree on streams of each family."""
    event = {"type": "error", "report": {"object": "sea.report"}}
    assert told(event) == SeaError()
    assert told(event, ON_HILLS) == HillError()


def test_names_of_one_family_are_known_on_any_stream() -> None:
    """Rivals' at the second look, all others' at the first."""
    assert told({"type": "path"}) == HillPath()
    assert told({"type": "tide"}, ON_HILLS) == SeaTide()
    assert DECODER.first_look(b'{"type":"path"}') is None
    assert DECODER.first_look(b'{"type":"wind"}') == Wind()
    assert ON_HILLS is not None
    assert ON_HILLS.first_look(b'{"type":"wind"}') == Wind()
    assert ON_HILLS.first_look(b'{"type":"tide"}') is None


def test_families_whose_names_nobody_has_need_no_decoder_of_their_own() -> None:
    """A stream goes on as it was."""
    assert DECODER.of("sea") is DECODER
    assert DECODER.of("air") is None
    assert Decoder({"air": AIR}).of("air") is None


def test_two_events_of_one_family_have_no_name_in_common() -> None:
    """Nor two pairs of any."""

    class Again(TypedEvent, frozen=True, tag="wind"):
        """Another event of the name."""

    class Pair(PairedEvent, frozen=True, tag="gust"):
        """A pair."""

    pairs = Vocabulary(paired=(Pair,))
    for wrong in ({"air": Vocabulary(typed=(Wind, Again))}, {"air": pairs, "sea": pairs}):
        with pytest.raises(ValueError, match="two events of one form have one name"):
            Decoder(wrong)


def test_an_unknown_event_is_counted_under_the_family_that_it_shows_signs_of() -> None:
    """Else under the first."""
    assert told({"type": "new", "height": 7}) == Unknown(type="new", family="hills")
    assert told({"type": "new"}) == Unknown(type="new", family="sea")


def test_a_name_is_shared_where_one_of_the_two_has_signs() -> None:
    """Without any, which is meant could not be told."""
    without = msgspec.structs.replace(HILLS, signs=())
    assert told({"type": "report"}, Decoder({"sea": SEA, "hills": without}).of("hills")) == HillReport()
    with pytest.raises(ValueError, match="two events of one form have one name"):
        Decoder({"sea": msgspec.structs.replace(SEA, signs=()), "hills": without})
