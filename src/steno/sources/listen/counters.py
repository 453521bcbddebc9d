"""What becomes of the connections that clients make: a closed list, and how often."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from steno.certificates import ServerCertificate
from steno.sources.listen.handshake import Reason
from steno.sources.protocols import Numbers
from steno.sources.stream_session import StreamCounters

Outcome = Literal["accepted", "slow", "tls", "certificate", "descriptors", "evicted", "gone", "internal_error"] | Reason
OUTCOMES: Final[tuple[Outcome, ...]] = tuple(each for part in get_args(Outcome) for each in get_args(part))
"""What can become of a connection that is made:

    accepted                     a client pushes
    no_token, wrong_token        it showed none, or one that is not known
    origin                       it is a web page
    not_found, bad_request       it asked for something else, or is no websocket
    crowded                      there were as many connections as there may be
    rate                         its client asked too often
    slow                         its handshake took too long
    tls                          TLS failed; where a certificate is asked for, it showed none that is trusted
    certificate                  steno has no certificate that it could show
    descriptors                  it could not be accepted: the process has no file descriptor left
    evicted                      it was the oldest handshake when another one came, at the most
    gone                         the client left before it was answered
    stopping                     steno stops
    internal_error               a mistake of ours
"""


class ListenCounters(StreamCounters):
    """What a source that listens counts."""

    def __init__(self) -> None:
        """Begin at zero."""
        super().__init__()
        self.handshakes: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
        """Connections that clients made, by what became of them."""
        self.messages_again = 0
        """Messages that were sent again although they had been fed."""
        self.slowed_seconds = 0.0
        """For how long connections were not read, since their clients sent more than they may."""
        self.certificate: ServerCertificate | None = None

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the values by metric and labels; see `protocols.Counters`."""
        handshakes: Numbers = {(outcome,): count for outcome, count in self.handshakes.items()}
        return {
            **super().numbers(),
            "steno_listen_handshakes_total": handshakes,
            "steno_listen_repeated_messages_total": {(): self.messages_again},
            "steno_listen_slowed_seconds_total": {(): self.slowed_seconds},
            **(self.certificate.numbers() if self.certificate else {}),
        }
