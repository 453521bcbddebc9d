"""National and tax numbers: each rule finds its numbers, weak forms need a name, and few other numbers pass."""

import inspect
import random
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from steno.redaction.budget import Budget
from steno.redaction.identity import identities
from steno.redaction.identity_checks import CHECKS
from steno.redaction.identity_rules import PASSED_BY_CHANCE_MAX, RULES, IdentityRule
from steno.redaction.spans import Span
from tests.redaction.helpers import redacted

PAGE = Path(__file__).parents[2] / "docs/redaction.md"

PEOPLE = {
    "at.vnr": ["1237 010180"],
    "be.nn": ["85.07.30-033.28", "85073003328", "17.07.30-033.84", "85.07.30-033-28", "85 07 30 033 28"],
    "bg.egn": ["8032056031"],
    "br.cpf": ["390.533.447-05", "39053344705"],
    "ch.ssn": ["756.9217.0769.85", "7569217076985"],
    "cl.rut": ["76086428-5", "12.531.909-2", "3.533.806-3", "8433378-6"],
    "cn.ric": ["360426199101010071", "11010519491231002X"],
    "cz.rc": ["710319/2745", "7103192745"],
    "dk.cpr": ["211062-5629"],
    "ee.ik": ["36805280109"],
    "es.dni": ["54362315K", "54362315-k"],
    "es.nie": ["X2482300W", "x-2482300w"],
    "fi.hetu": ["131052-308T", "131052A308T"],
    "fr.nir": ["2 95 10 99 126 111 93", "295109912611193", "253072B07300470"],
    "gb.nhs": ["943 476 5870"],
    "gb.nino": ["AB123456C", "ab 12 34 56 c"],
    "gr.amka": ["01013099997"],
    "id.nik": ["3171011708450001"],
    "ie.pps": ["6433435F", "6433435FT"],
    "in_.aadhaar": ["2341-2341-2346"],
    "is_.kennitala": ["450401-3150", "4504013150"],
    "it.codicefiscale": ["RCCMNL83S18D969H", "rcc mnl 83s18 d969h"],
    "kr.rrn": ["971013-9019902"],
    "lt.asmens": ["33309240064"],
    "lv.pvn": ["161175-19997"],
    "mx.curp": ["BOXW310820HNERXN09"],
    "my.nric": ["770305-02-1234"],
    "nl.bsn": ["1112.22.333"],
    "no.fodselsnummer": ["151086 95088", "15108695088"],
    "pl.pesel": ["44051401359"],
    "pt.cc": ["00000000 0 ZZ4", "000000000ZZ4"],
    "ro.cnp": ["1630615123457"],
    "se.personnummer": ["880320-0016", "19880320-0016", "8803200016"],
    "si.emso": ["0101006500006"],
    "th.pin": ["1-2345-45678-78-1"],
    "tr.tckimlik": ["17291716060"],
    "us.ssn": ["536-90-4399"],
    "za.idnr": ["7503305044089"],
    "ar.cuit": ["20-05536168-2", "20267565393"],
    "br.cnpj": ["16.727.230/0001-97"],
    "ch.uid": ["CHE-100.155.212"],
    "de.idnr": ["36574261809", "36 574 261 809"],
    "es.cif": ["J99216582"],
    "eu.vat": [
        *("DE136695976", "ATU13585627", "BE0697449992", "FR40303265045", "NL004495445B01", "ESX2482300W", "FI90404796"),
        *("LT313637510613", "IE4527832GA", "FRBC877092486", "FR7J424916013", "FRQ3948974613"),
    ],
    "gb.vat": ["GB 980 7806 84", "GB980780684"],
    "in_.gstin": ["27AAPFU0939F1ZV"],
    "in_.pan": ["ACUPA7085R"],
    "it.iva": ["00743110157"],
    "mx.rfc": ["GODE561231GR8", "ABC680524K63"],
    "nz.ird": ["49-098-576", "136-410-132"],
    "pl.nip": ["856-734-62-15"],
    "ru.inn": ["123456789047"],
    "us.itin": ["912-90-3456"],
}

WEAK = """
    at.vnr  SVNR 1237010180
    ca.sin  my social insurance number is 123-456-782
    cz.rc   rodné číslo 991231/123
    dk.cpr  CPR: 2110625629
    gb.nhs  NHS number: 9434765870
    hr.oib  "oib":"33392005961"
    il.idnr teudat zehut 039337423
    il.idnr t.z. 4823607-9
    in_.aadhaar Aadhaar 2341 2341 2346
    jp.in_  My Number is 6214 9832 0257
    my.nric IC number 770305021234
    nl.bsn  mijn BSN is 111222333
    th.pin  Thai ID 3100600445635
    us.ssn  my SSN, as I said before, is 536904399
    us.ssn  my SSN is 536 90 4399
    au.tfn  TFN 123 456 782
    gb.utr  UTR 1955839661
    pl.nip  NIP 8567346215
    pt.nif  NIF 501964843
    ru.inn  ИНН 1234567894
    us.ein  EIN 91-1144442
    us.itin ITIN 912903456
"""
NAMED = [line.strip().split(maxsplit=1) for line in WEAK.strip().splitlines()]

NOT_FOUND = """
    order 111222333 of 9434765870
    BSN unknown, but a very long sentence then says 111222333
    at 1767225600 and 1767225600123 and 1767225600123456 and 1767225600123456789
    2026-01-15 10:30:00.123456
    536-90-439 and 000-12-3456 and 666-12-3456
    36574261808
    x36574261809 and 36574261809x
    0.36574261809
    1,234,567,890
    550e8400-e29b-41d4-a716-446655440000
    ABCDE1234F
    911 or 112
"""

BY_NAME = {rule.name: rule for rule in RULES}


@pytest.mark.parametrize(("name", "number"), [(name, number) for name in PEOPLE for number in PEOPLE[name]])
def test_numbers_are_found_in_a_sentence(name: str, number: str) -> None:
    """Two countries may share a form: then either class may win."""
    assert redacted(f"it is {number}, thanks") in {"it is [national_id], thanks", "it is [tax_id], thanks"}
    assert redacted(f'{{"n":"{number}"}}') in {'{"n":"[national_id]"}', '{"n":"[tax_id]"}'}


@pytest.mark.parametrize(("name", "text"), NAMED)
def test_weak_forms_are_found_after_their_names_and_for_their_country(name: str, text: str) -> None:
    named, alone = redacted(text), redacted(text[first_digit(text) :], BY_NAME[name].country)

    assert named.strip('"').endswith(f"[{BY_NAME[name].kind}]"), named
    assert "[" in alone


@pytest.mark.parametrize("text", [line.strip() for line in NOT_FOUND.strip().splitlines()])
def test_what_is_not_the_number_of_a_person_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_form_of_a_rule_is_found(rule: IdentityRule) -> None:
    """Each check of the library allows certain marks: a form with other marks would never be found."""
    written = (*PEOPLE.get(rule.name, ()), *(text[first_digit(text) :] for name, text in NAMED if name == rule.name))
    for form in (*rule.forms, *rule.weak):
        spans = {span for each in written for span in found_in(laid_out(each, form), rule)}

        assert Span(0, len(form), rule.kind) in spans, form


def found_in(written: str, rule: IdentityRule) -> Iterator[Span]:
    return identities(written, 0, len(written), [rule.country], Budget())


def laid_out(written: str, form: str) -> str:
    """Return the number `written` in another form; "" where it does not fit."""
    number = re.sub("[^0-9A-Za-z]", "", written)
    marks = re.sub("[^9AX]", "", form)
    classes = {"9": "[0-9]", "A": "[A-Za-z]", "X": "[0-9A-Za-z]"}
    if not re.fullmatch("".join(classes[mark] for mark in marks), number):
        return ""
    left = iter(number)
    return "".join(next(left) if mark in classes else mark for mark in form)


def first_digit(text: str) -> int:
    return next(place for place, mark in enumerate(text) if mark.isdigit())


def test_every_rule_has_an_example() -> None:
    weak = {name for name, _ in NAMED}

    assert {rule.name for rule in RULES if rule.forms} == PEOPLE.keys()
    assert {rule.name for rule in RULES if rule.weak} == weak


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_few_random_numbers_pass_a_form_that_needs_no_name(rule: IdentityRule) -> None:
    """Forms of digits alone: a form with marks or letters is not written by chance."""
    check = CHECKS.get(rule.name) or import_module(f"stdnum.{rule.name}").is_valid
    draw = random.Random(4)
    for form in (form.replace("X", "9") for form in rule.forms):
        if not form.isdigit():
            continue
        numbers = ("".join(draw.choices("0123456789", k=len(form))) for _ in range(4_000))

        assert sum(map(check, numbers)) <= 4_000 * PASSED_BY_CHANCE_MAX


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.name not in CHECKS], ids=lambda rule: rule.name)
def test_no_check_depends_on_the_clock(rule: IdentityRule) -> None:
    assert "today()" not in inspect.getsource(import_module(f"stdnum.{rule.name}"))


def test_the_page_shows_every_rule_and_its_forms() -> None:
    """In the order of the table."""
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| `[a-z_]+\.", line)]

    assert rows == [f"| `{rule.name}` | `{rule.kind}` |{shown(rule.forms)} |{shown(rule.weak)} |" for rule in RULES]


def shown(forms: tuple[str, ...]) -> str:
    return ",".join(f" `{form}`" for form in forms)
