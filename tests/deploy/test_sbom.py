"""The SBOM is that of the lock: `make sbom` writes it, and it lies in the image and in the Debian package."""

import json
import re
from importlib import metadata
from typing import Any, Final

import pytest

import steno
from tools.sbom import BUILD, CLASSIFIERS, LOCK, SBOM, askers, licence, page

PINNED: Final = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)(?P<rest>.*(?:\n .*)*)", re.MULTILINE)


@pytest.fixture(scope="module")
def sbom() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SBOM.read_text(encoding="utf-8"))
    return document


def test_it_holds_every_package_of_the_lock_and_no_other(sbom: dict[str, Any]) -> None:
    """By its exact version and the hash of each file that the lock allows."""
    locked = {
        (each["name"], each["version"]): set(re.findall(r"--hash=sha256:(\w+)", each["rest"]))
        for each in PINNED.finditer(LOCK.read_text(encoding="utf-8"))
    }

    held = {
        (each["name"], each["version"]): {digest["content"] for digest in each["hashes"]} for each in sbom["components"]
    }

    assert len(locked) > 15
    assert held == locked, "deploy/steno.cdx.json is out of date: run make sbom"


def test_it_is_that_of_this_version(sbom: dict[str, Any]) -> None:
    root = sbom["metadata"]["component"]

    assert (root["name"], root["version"]) == ("steno", steno.__version__)


def test_every_package_is_reached_from_the_program(sbom: dict[str, Any]) -> None:
    depends = {each["ref"]: each["dependsOn"] for each in sbom["dependencies"]}
    reached, rest = set(), ["steno"]
    while rest:
        ref = rest.pop()
        reached.add(ref)
        rest.extend(set(depends[ref]) - reached)

    assert reached == {"steno", *(each["bom-ref"] for each in sbom["components"])}


def test_what_only_builds_is_marked_as_absent(sbom: dict[str, Any]) -> None:
    assert [each["name"] for each in sbom["components"] if each["scope"] == "excluded"] == [BUILD]


def test_licences_are_those_that_the_packages_name(sbom: dict[str, Any]) -> None:
    """As far as those of the lock are installed: the oldest that are allowed may have named another one."""
    installed = [each for each in sbom["components"] if metadata.version(each["name"]) == each["version"]]

    assert installed
    assert all(each["licenses"] == [{"expression": licence(each["name"])}] for each in installed)


def test_it_names_neither_a_time_nor_a_place(sbom: dict[str, Any]) -> None:
    """So that the same lock gives the same file."""
    assert {"serialNumber", "timestamp"} & {*sbom, *sbom["metadata"]} == set()
    assert re.findall(r"\w+://[^\"]*", SBOM.read_text(encoding="utf-8")) == [sbom["$schema"]]


LOCK_OF_TWO = """\
rich==15.0.0 \\
    --hash=sha256:00
    # via steno (pyproject.toml)
idna==3.20 ; python_full_version < '3.15' \\
    --hash=sha256:11
    # via
    #   rich
    #   steno (pyproject.toml:build)
"""


def test_who_asks_for_a_package_is_read_from_the_lock() -> None:
    assert askers(LOCK_OF_TWO) == {"rich": {"steno"}, "idna": {"rich", "steno"}}


def test_what_the_reader_of_the_lock_cannot_know_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its times, links and lines of the lock go."""
    monkeypatch.setattr("tools.sbom.askers", lambda lock: askers(LOCK_OF_TWO))
    read = {
        "metadata": {
            "component": {"bom-ref": "root-component", "name": "steno"},
            "tools": {"components": [{"type": "library", "name": "reader", "version": "1", "externalReferences": []}]},
        },
        "components": [
            {
                "type": "library",
                "bom-ref": f"requirements-L{line}",
                "description": "a line of the lock",
                "name": name,
                "version": "1",
                "purl": f"pkg:pypi/{name}@1",
                "externalReferences": [{"url": "somewhere", "hashes": [{"alg": "SHA-256", "content": "00"}]}],
            }
            for line, name in enumerate(("rich", "idna"))
        ],
    }

    written = json.loads(page(read))

    assert written["metadata"] == {
        "component": {"bom-ref": "steno", "name": "steno"},
        "tools": {"components": [{"type": "library", "name": "reader", "version": "1"}]},
    }
    assert [(each["bom-ref"], each["licenses"][0]["expression"]) for each in written["components"]] == [
        ("pkg:pypi/rich@1", "MIT"),
        ("pkg:pypi/idna@1", "BSD-3-Clause"),
    ]
    assert {each["ref"]: each["dependsOn"] for each in written["dependencies"]} == {
        "pkg:pypi/idna@1": [],
        "pkg:pypi/rich@1": ["pkg:pypi/idna@1"],
        "steno": ["pkg:pypi/idna@1", "pkg:pypi/rich@1"],
    }


def test_a_licence_that_is_not_known_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.sbom.CLASSIFIERS", {})

    assert CLASSIFIERS
    assert "License-Expression" not in metadata.metadata("rich")
    with pytest.raises(KeyError):
        licence("rich")
