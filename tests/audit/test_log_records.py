"""Records about the log itself, to the letter: other programs read them."""

import pytest

from steno.audit import log_records
from steno.audit.log_records import Cursor, Damaged
from tests.audit.helpers import AT, WHEN, ZEROS, terms


def record(fact: str, body: str) -> bytes:
    return (f'"at":"{WHEN}","fact":"{fact}","conversation":null,"stream":null,"event_id":null,"body":{body}').encode()


OPENED = (
    '{"schema":"steno.audit/1","version":"1.2.3","algorithm":"sha256","key_id":null,"config_digest":"c0ffee",'
    f'"content_policy":"none","previous":"{ZEROS}","recovered_bytes":7}}'
)
CHECKPOINT = f'{{"last_seq":6,"last_hash":"{ZEROS}"}}'
RETIRED = f'{{"last_seq":6,"last_hash":"{ZEROS}","segments":["a","b"]}}'
GAP = f'{{"reason":"shed","facts":3,"first_at":"{WHEN}","last_at":null}}'
CURSOR = '{"id":"a","stream":"app/1/1","frame":7,"records":0,"former":0}'
DAMAGED = '{"segment":"a","damage":"renamed","last_seq":6}'


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (log_records.opened(AT, terms(), bytes(32), 7), record("log.opened", OPENED)),
        (log_records.closed(AT, "rotated"), record("log.closed", '{"reason":"rotated"}')),
        (log_records.checkpoint(AT, 6, bytes(32)), record("log.checkpoint", CHECKPOINT)),
        (log_records.retired(AT, 6, bytes(32), ["a", "b"]), record("log.retired", RETIRED)),
        (log_records.gap(AT, "shed", 3, AT, None), record("log.gap", GAP)),
        (log_records.gap(AT, "shed", 3, AT, None, {"a": 2}), record("log.gap", GAP[:-1] + ',"sources":{"a":2}}')),
        (log_records.cursor(AT, Cursor("a", "app/1/1", 7)), record("log.cursor", CURSOR)),
        (log_records.cursor(AT, Cursor("a", "app/1/1", 7, of=2)), record("log.cursor", CURSOR[:-1] + ',"of":2}')),
        (log_records.damaged(AT, Damaged("a", "renamed", 6)), record("log.damaged", DAMAGED)),
    ],
)
def test_records_follow_the_format_to_the_letter(entry: bytes, expected: bytes) -> None:
    assert entry == expected


def test_settings_do_not_show_their_key() -> None:
    assert "canary" not in repr(terms(b"canary"))
