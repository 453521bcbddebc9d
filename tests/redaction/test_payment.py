"""Card numbers and IBANs, as they are written and dictated."""

import pytest

from tests.redaction.helpers import redacted, table

FOUND = """
    4111111111111111                             -> [card]
    my card is 4111 1111 1111 1111 ok            -> my card is [card] ok
    4111-1111-1111-1111, 12/28                   -> [card], 12/28
    3782 822463 10005                            -> [card]
    5555 5555 5555 4444                          -> [card]
    2223 0031 2200 3222                          -> [card]
    6011 0009 9013 9424                          -> [card]
    3530 1113 3330 0000                          -> [card]
    3056 930902 5904                             -> [card]
    6200 0000 0000 0005                          -> [card]
    order 12 4111 1111 1111 1111                 -> order 12 [card]
    card4111111111111111now                      -> card[card]now
    4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1              -> [card]
    4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1. -> [card].
    4111, 1111, 1111, 1111                       -> [card]
    {"pan":4111111111111111}                     -> {"pan":[card]}
    DE89 3704 0044 0532 0130 00                  -> [iban]
    de89370400440532013000                       -> [iban]
    IBANDE89370400440532013000                   -> IBAN[iban]
    GB29 NWBK 6016 1331 9268 19                  -> [iban]
    GB 29 NWBK60161331926819                     -> [iban]
    FR14 2004 1010 0505 0001 3M02 606.           -> [iban].
    MT84MALT011000012345MTLCAST001S              -> [iban]
    NO93 8601 1117 947                           -> [iban]
"""

NOT_FOUND = """
    4111111111111112
    41111111111111111111111
    9111 1111 1111 1111
    0.4111111111111111
    DE89 3704 0044 0532 0130 01
    DE89 3704 0044
    XX89370400440532013000
    four two four two four two four two
"""


@pytest.mark.parametrize(("text", "left"), table(FOUND))
def test_cards_and_accounts_are_found(text: str, left: str) -> None:
    assert redacted(text) == left


@pytest.mark.parametrize("text", [line.strip() for line in NOT_FOUND.strip().splitlines()])
def test_what_is_neither_a_card_nor_an_account_stays(text: str) -> None:
    assert redacted(text) == text
