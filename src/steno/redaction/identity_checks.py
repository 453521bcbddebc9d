"""Checks of numbers that python-stdnum checks by today's date, wrongly for some numbers, or not at all.

A number must not become valid or invalid as years go by: a replay gives what the daemon gave.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from stdnum import luhn
from stdnum.cn import ric
from stdnum.kr import rrn
from stdnum.no import fodselsnummer

_DAY: Final = r"(?:0[1-9]|[12][0-9]|3[01])"
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_NO_DIGIT: Final = re.compile(r"[^0-9]+")

_DANISH: Final = re.compile(rf"{_DAY}{_MONTH}[0-9]{{6}}")
_SWEDISH: Final = re.compile(rf"(?:18|19|20)?[0-9]{{2}}{_MONTH}(?:0[1-9]|[1-8][0-9]|9[01])[0-9]{{4}}")
_SOUTH_AFRICAN: Final = re.compile(rf"[0-9]{{2}}{_MONTH}{_DAY}[0-9]{{4}}[01][0-9]{{2}}")
_KOREAN: Final = re.compile(rf"[0-9]{{2}}{_MONTH}{_DAY}[0-9]{{7}}")
_CHINESE: Final = re.compile(rf"[1-8][0-9]{{5}}(?:19|20)[0-9]{{2}}{_MONTH}{_DAY}[0-9]{{3}}[0-9Xx]")
_NORWEGIAN: Final = re.compile(r"[0-7][0-9](?:0[1-9]|1[0-2]|4[1-9]|5[0-2])[0-9]{7}")
_BELGIAN: Final = re.compile(r"[0-9]{2}(?:[024][0-9]|[135][0-2])[0-3][0-9]{6}")
_INSURED: Final = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]")


def _digits(number: str) -> str:
    return _NO_DIGIT.sub("", number)


def _danish(number: str) -> bool:
    return _DANISH.fullmatch(_digits(number)) is not None  # since 2007 without a check digit


def _swedish(number: str) -> bool:
    digits = _digits(number)
    return _SWEDISH.fullmatch(digits) is not None and luhn.is_valid(digits[-10:])


def _south_african(number: str) -> bool:
    digits = _digits(number)
    return _SOUTH_AFRICAN.fullmatch(digits) is not None and luhn.is_valid(digits)


def _korean(number: str) -> bool:
    digits = _digits(number)
    return _KOREAN.fullmatch(digits) is not None and rrn.calc_check_digit(digits[:-1]) == digits[-1]


def _chinese(number: str) -> bool:
    return _CHINESE.fullmatch(number) is not None and ric.calc_check_digit(number) == number[-1].upper()


def _norwegian(number: str) -> bool:
    digits = _digits(number)
    return (
        _NORWEGIAN.fullmatch(digits) is not None
        and fodselsnummer.calc_check_digit1(digits) == digits[-2]
        and fodselsnummer.calc_check_digit2(digits) == digits[-1]
    )


def _belgian(number: str) -> bool:
    """Check a number of somebody born before 2000, or since: then a 2 is put before the number to be divided."""
    digits = _digits(number)
    return _BELGIAN.fullmatch(digits) is not None and int(digits[-2:]) in {
        97 - int(digits[:-2]) % 97,
        97 - int(f"2{digits[:-2]}") % 97,
    }


def _insured(number: str) -> bool:
    return _INSURED.fullmatch(number.replace(" ", "").upper()) is not None


CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "be.nn": _belgian,
    "cn.ric": _chinese,
    "dk.cpr": _danish,
    "gb.nino": _insured,
    "kr.rrn": _korean,
    "no.fodselsnummer": _norwegian,
    "se.personnummer": _swedish,
    "za.idnr": _south_african,
}
"""Name of a rule -> its check."""
