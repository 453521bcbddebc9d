"""Who is billed, and by which prices: a call that several sources follow is billed once.

The same call may come by a proxy and by a sideband, or by the application's own tap. Two conversations of different
sources are the same call where they have a session id or a call id in common. The one that was known by it first is
billed while its stream is open: usages of the others are `duplicate_source`. One that knows the model of its session
goes before those that do not, since nothing else has a price. Where its stream has ended, another one goes on in its
place.

Often that shows late, since a sideband is not sent its session's id. So a usage that has an id, that of its response,
run or item, is billed once as well, unless two sessions are known to differ: some servers number their responses anew
in each session. Within a source nothing is compared here: a conversation knows its own duplicates. It is otherwise
where ids are unique whatever the session, as those of the Responses API are: a response that is fetched anew, after the
conversation that it was billed in is over, was billed.

A session that is billed by time reports it over and over. What was billed of it is remembered by its id, whoever
followed it: who comes late, or comes again, goes on from there.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import ClassVar, NamedTuple, Protocol

from steno.core.billing.prices import PriceTable
from steno.limits import CLAIMANTS, CLAIMS

Times = tuple[Decimal, Decimal]
"""How long a session was active and was paused, in seconds."""


class Claimant(Protocol):
    """A conversation, as far as it matters here."""

    source: str
    last_stream: str
    names: tuple[str, ...]
    """Ids of its session and call under which it is known here."""
    unique_usages: ClassVar[bool]
    """Whether the ids of its usages are unique, whatever the session."""

    @property
    def session_name(self) -> str | None:
        """The id of its session, where that is known."""

    @property
    def billed_model(self) -> str | None:
        """The model of its session, where that is known."""


class _Billed(NamedTuple):
    source: str
    session: str | None


class Claims:
    """Which open conversations are known by which ids, and whose usages were billed lately. All share it."""

    def __init__(self, streams: Collection[str], prices: PriceTable | None = None) -> None:
        """Know of nothing. `streams` has the names of those that are open."""
        self._streams = streams
        self.prices = prices
        """What usage that begins from now on is priced by."""
        self._known: dict[str, tuple[Claimant, ...]] = {}
        """Id of a session or call to the open conversations that have it, the one that had it first in front."""
        self._sources: set[str] = set()
        """Sources that have had a stream. Where there is one, no usage needs to be remembered."""
        self._billed: OrderedDict[str, _Billed] = OrderedDict()
        """The newest ids of usages, and who was billed for each."""
        self._metered: OrderedDict[str, Times] = OrderedDict()
        """The newest sessions that are billed by time, and up to where each was billed."""

    def begin(self, source: str) -> None:
        """Take note that `source` has a stream."""
        self._sources.add(source)

    def learn(self, state: Claimant, names: Iterable[str]) -> None:
        """Let `state` be known by `names`, and by the former ones no more. A session may be named as its call is."""
        wanted = tuple(name for name in dict.fromkeys(names) if name in state.names or self._has_room(name))
        if wanted == state.names:
            return
        for name in set(state.names) - set(wanted):
            self._leave(state, name)
        for name in wanted:
            if name not in state.names:
                self._known[name] = (*self._known.get(name, ()), state)
        state.names = wanted

    def _has_room(self, name: str) -> bool:
        """Return whether one more may be known by `name`: each usage looks at all that are."""
        return len(self._known.get(name, ())) < CLAIMANTS

    def forget(self, state: Claimant) -> None:
        """Let nothing lead to `state`, which has ended."""
        for name in state.names:
            self._leave(state, name)
        state.names = ()

    def _leave(self, state: Claimant, name: str) -> None:
        known = tuple(each for each in self._known[name] if each is not state)
        if known:
            self._known[name] = known
        else:
            del self._known[name]

    def follower(self, name: str) -> str | None:
        """Return the source that follows the session or call `name`; None where none does."""
        return next((state.source for state in self._known.get(name, ()) if state.last_stream in self._streams), None)

    def elsewhere(self, state: Claimant, usage: str | None) -> bool:
        """Return whether the usage with the id `usage`, of `state`, is billed to another source."""
        return self._follows_another(state) or (usage is not None and self._was_billed(state, usage))

    def bill(self, state: Claimant, usage: str | None) -> bool:
        """Claim a usage for `state`, to be billed. Return False where another source has it."""
        if self.elsewhere(state, usage):
            return False
        many = len(self._sources) > 1 or state.unique_usages
        if usage is not None and many and usage not in self._billed:
            self._billed[usage] = _Billed(state.source, state.session_name)
            if len(self._billed) > CLAIMS:
                self._billed.popitem(last=False)
        return True

    def meter(self, session: str | None, heard: Times, own: Times, now: Times) -> Times:
        """Bill a `session` up to `now`; return up to where it was billed already.

        That is `own`, up to where the caller was billed, or further where another stream was; never past `now`. What
        the caller `heard` while another source went before it may have been billed to nobody: that one may have left
        before it heard the same. Where nothing tells which session it is, it was. Who hears of a session for the first
        time, and of less than was billed, hears of another one: some servers number their sessions anew.
        """
        if not session:
            return heard
        known = self._metered.pop(session, own)
        if not any(heard) and (now[0] < known[0] or now[1] < known[1]):
            known = own
        billed = max(known[0], own[0]), max(known[1], own[1])
        self._metered[session] = max(billed[0], now[0]), max(billed[1], now[1])
        if len(self._metered) > CLAIMS:
            self._metered.popitem(last=False)
        return min(billed[0], now[0]), min(billed[1], now[1])

    def _follows_another(self, state: Claimant) -> bool:
        """Return whether another source goes before that of `state`."""
        for name in state.names:  # noqa: SIM110  # `any` makes a generator, for a name or two
            if len(self._known[name]) > 1 and self._first(state, name) is not state:
                return True
        return False

    def _first(self, state: Claimant, name: str) -> Claimant:
        """Return who is billed of those that have `name`, as `state` has."""
        follow = [
            each
            for each in self._known[name]
            if each is state or (each.source != state.source and each.last_stream in self._streams)
        ]
        return next((each for each in follow if each.billed_model), follow[0])

    def _was_billed(self, state: Claimant, usage: str) -> bool:
        billed = self._billed.get(usage)
        if billed is None:
            return False
        if state.unique_usages:
            return True
        if billed.source == state.source:
            return False
        return not billed.session or not state.session_name or billed.session == state.session_name
