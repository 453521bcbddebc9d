"""The table of national and tax numbers that are looked for, and the forms in which they are written.

A form counts by itself where at most one random number in 25 passes its check. Otherwise it is weak: it counts after
the number's name, or where its country is among the configured regions.
"""

from typing import Final

from msgspec import Struct

PASSED_BY_CHANCE_MAX: Final = 0.04
"""The share of random numbers that may pass the check of a form that is not weak."""


class IdentityRule(Struct, frozen=True):
    """A kind of number that people have."""

    kind: str
    name: str
    """Country and number: the module of python-stdnum that checks it, except for those in `identity_checks`."""
    forms: tuple[str, ...]
    """The forms that count by themselves: 9 is a digit, A a letter, X either, and anything else itself."""
    weak: tuple[str, ...] = ()
    """The forms that count after the number's name."""
    names: str = ""
    """Its names as a regular expression."""

    @property
    def country(self) -> str:
        """Two letters, upper case."""
        return self.name[:2].upper()


def _person(name: str, *forms: str, weak: tuple[str, ...] = (), names: str = "") -> IdentityRule:
    return IdentityRule("national_id", name, forms, weak, names)


def _taxpayer(name: str, *forms: str, weak: tuple[str, ...] = (), names: str = "") -> IdentityRule:
    return IdentityRule("tax_id", name, forms, weak, names)


RULES: Final = (
    _person("at.vnr", "9999 999999", weak=("9999999999",), names="svnr|sv-?nummer|versicherungsnummer"),
    _person("be.nn", "99.99.99-999.99", "99.99.99-999-99", "999999-999-99", "99 99 99 999 99", "99999999999"),
    _person("bg.egn", "9999999999"),
    _person("br.cpf", "999.999.999-99", "99999999999"),
    _person("ca.sin", weak=("999-999-999", "999 999 999", "999999999"), names="sin|nas|social insurance(?: number)?"),
    _person("ch.ssn", "999.9999.9999.99", "9999999999999"),
    _person("cl.rut", "99.999.999-X", "9.999.999-X", "99999999-X", "9999999-X"),
    _person("cn.ric", "99999999999999999X"),
    _person(
        "cz.rc", "999999/9999", "9999999999", weak=("999999/999", "999999999"), names="r[cč]|rodn[eé] [cč][ií]slo"
    ),  # Slovakia's are the same
    _person("dk.cpr", "999999-9999", weak=("9999999999", "999999 9999"), names="cpr(?:-?nummer|-?nr)?"),
    _person("ee.ik", "99999999999"),
    _person("es.dni", "99999999A", "99999999-A", "99999999 A"),
    _person("es.nie", "A9999999A", "A-9999999-A", "A-9999999A", "A9999999-A", "A 9999999 A"),
    _person("fi.hetu", "999999-999X", "999999+999X", "999999A999X"),
    _person(
        "fr.nir",
        "999999999999999",
        "9 99 99 99 999 999 99",
        "999999A99999999",
        "9 99 99 9A 999 999 99",
        "9999999999999 99",
    ),
    _person("gb.nhs", "999 999 9999", weak=("9999999999", "999-999-9999"), names="nhs(?: number| no)?"),
    _person("gb.nino", "AA999999A", "AA 99 99 99 A", "AA 999999 A"),
    _person("gr.amka", "99999999999"),
    _person("hr.oib", weak=("99999999999",), names="oib"),
    _person("id.nik", "9999999999999999"),
    _person("ie.pps", "9999999A", "9999999AA"),
    _person("il.idnr", weak=("999999999", "9999999-9", "99999999-9"), names="teudat zehut|mispar zehut|t\\.?z\\.?"),
    _person("in_.aadhaar", "9999-9999-9999", weak=("9999 9999 9999", "999999999999"), names="aadhaa?r(?: number)?|uid"),
    _person("is_.kennitala", "999999-9999", "9999999999"),
    _person("it.codicefiscale", "AAAAAA99A99A999A", "AAA AAA 99A99 A999A"),
    _person(
        "jp.in_", weak=("9999 9999 9999", "9999-9999-9999", "999999999999"), names="my number|マイナンバー|個人番号"
    ),
    _person("kr.rrn", "999999-9999999", "9999999999999"),
    _person("lt.asmens", "99999999999"),
    _person("lv.pvn", "999999-99999"),
    _person("mx.curp", "AAAA999999AAAAAAX9"),
    _person("my.nric", "999999-99-9999", weak=("999999999999",), names="nric|mykad|ic(?: number| no)?"),
    _person("nl.bsn", "9999.99.999", weak=("999999999", "999 999 999"), names="bsn|burgerservicenummer|sofinummer"),
    _person("no.fodselsnummer", "99999999999", "999999 99999"),
    _person("pl.pesel", "99999999999"),
    _person("pt.cc", "999999999AX9", "99999999 9 AX9"),
    _person("ro.cnp", "9999999999999"),
    _person("se.personnummer", "999999-9999", "999999+9999", "99999999-9999", "999999999999", "9999999999"),
    _person("si.emso", "9999999999999"),  # also those of the other countries that were Yugoslavia
    _person("th.pin", "9-9999-99999-99-9", weak=("9999999999999",), names="thai id|บัตรประชาชน"),
    _person("tr.tckimlik", "99999999999"),
    _person(
        "us.ssn",
        "999-99-9999",
        weak=("999 99 9999", "999999999"),
        names="ssn|social security(?: number| no\\.?)?|social",
    ),
    _person("za.idnr", "9999999999999", "999999 9999 999"),
    _taxpayer("ar.cuit", "99-99999999-9", "99999999999"),
    _taxpayer("au.tfn", weak=("999 999 999", "999999999"), names="tfn|tax file (?:number|no\\.?)"),
    _taxpayer("br.cnpj", "99.999.999/9999-99", "99999999999999"),
    _taxpayer("ch.uid", "AAA-999.999.999", "AAA999999999"),
    _taxpayer("de.idnr", "99999999999", "99 999 999 999"),
    _taxpayer("es.cif", "A9999999X", "A-9999999X", "A-9999999-X"),
    _taxpayer(
        "eu.vat",
        "AA99999999",
        "AA999999999",
        "AA9999999999",
        "AA99999999999",
        "AA999999999999",
        "AAA99999999",
        "AAX9999999X",
        "AA9999999AA",
        "AA999999999A99",
        "AAAA999999999",
        "AA9A999999999",
        "AAA9999999999",
    ),
    _taxpayer("gb.utr", weak=("9999999999", "99999 99999"), names="utr|tax(?:payer)? reference(?: number)?"),
    _taxpayer("gb.vat", "AA999999999", "AA 999 9999 99"),
    _taxpayer("in_.gstin", "99AAAAA9999AXAX"),
    _taxpayer("in_.pan", "AAAAA9999A"),
    _taxpayer("it.iva", "99999999999"),
    _taxpayer("mx.rfc", "AAAA999999XXX", "AAA999999XXX"),
    _taxpayer("nz.ird", "99-999-999", "999-999-999", "999999999"),
    _taxpayer("pl.nip", "999-999-99-99", "999-99-99-999", weak=("9999999999",), names="nip"),
    _taxpayer("pt.nif", weak=("999999999", "999 999 999"), names="nif|contribuinte"),
    _taxpayer("ru.inn", "999999999999", weak=("9999999999",), names="инн|inn"),
    _taxpayer("us.ein", weak=("99-9999999",), names="ein|employer identification number"),
    _taxpayer("us.itin", "999-99-9999", weak=("999999999",), names="itin"),
)
