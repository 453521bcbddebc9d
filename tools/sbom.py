# ruff: noqa: INP001  # a script of the house, in no package
"""Writes deploy/steno.cdx.json, the SBOM (CycloneDX) of what requirements.lock installs.

cyclonedx-py reads the lock. What it cannot know is added here: which package asks for which, as the lock says, and the
licences, as the installed packages say. The same lock gives the same file.
"""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Final

TOP: Final = Path(__file__).parent.parent
LOCK: Final = TOP / "requirements.lock"
SBOM: Final = TOP / "deploy/steno.cdx.json"
ROOT: Final = "steno"
BUILD: Final = "flit-core"
"""It builds the package, and is not there when that runs."""
CLASSIFIERS: Final = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
    "License :: OSI Approved :: MIT License": "MIT",
    "3-Clause BSD License": "BSD-3-Clause",
}
"""What packages say that have no expression, as one: by a classifier, or in a word of their own."""


def main() -> None:
    """Write the SBOM; the argument is the program that reads the lock."""
    (program,) = sys.argv[1:]
    SBOM.write_text(page(read_by(program)), encoding="utf-8")


def read_by(program: str) -> dict[str, Any]:
    """Return what `program`, a cyclonedx-py, makes of the lock."""
    options = ["--pyproject", "pyproject.toml", "--mc-type", "application", "--output-reproducible", "--sv", "1.6"]
    done = subprocess.run(  # noqa: S603  # the program is the operator's own
        [program, "requirements", LOCK.name, *options], cwd=TOP, stdout=subprocess.PIPE, check=True, text=True
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def page(document: dict[str, Any]) -> str:
    """Return the text of the file: `document` with references by name, hashes, licences and who asks for what."""
    asked = askers(LOCK.read_text(encoding="utf-8"))
    root = document["metadata"]["component"]
    root["bom-ref"] = ROOT
    made_by = document["metadata"]["tools"]["components"]
    components = [component(each) for each in document["components"]]
    refs = {each["name"]: each["bom-ref"] for each in components} | {ROOT: ROOT}
    return json.dumps(
        document
        | {
            "metadata": {
                "component": root,
                "tools": {"components": [{key: tool[key] for key in ("type", "name", "version")} for tool in made_by]},
            },
            "components": components,
            "dependencies": [
                {"ref": ref, "dependsOn": sorted(refs[child] for child, parents in asked.items() if name in parents)}
                for name, ref in sorted(refs.items())
            ],
        },
        indent=2,
    ).join(("", "\n"))


def component(read: dict[str, Any]) -> dict[str, Any]:
    """Return a component; its hashes are those of all files of the release, of which a machine installs one."""
    hashes = [value for reference in read["externalReferences"] for value in reference["hashes"]]
    return {
        "type": read["type"],
        "bom-ref": read["purl"],
        "name": read["name"],
        "version": read["version"],
        "scope": "excluded" if read["name"] == BUILD else "required",
        "licenses": [{"expression": licence(read["name"])}],
        "purl": read["purl"],
        "hashes": hashes,
    }


def licence(name: str) -> str:
    """Return the licence of an installed package, as an SPDX expression.

    Raises KeyError where it says neither an expression nor what `CLASSIFIERS` knows.
    """
    said = metadata.metadata(name)
    if "License-Expression" in said:
        return said["License-Expression"]
    classifiers = [each for each in said.get_all("Classifier") or () if each.startswith("License ::")]
    (words,) = classifiers or [said["License"]]
    return CLASSIFIERS[words]


def askers(lock: str) -> dict[str, set[str]]:
    """Return who asks for each package of a lock; steno asks for what builds it too."""
    asked: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=[a-z0-9])", lock.strip()):
        name = block.partition("==")[0]
        comments = re.findall(r"^ +# +(?:via +)?([a-z0-9][a-z0-9-]*)(?: \(.*\))?$", block, re.MULTILINE)
        asked[name] = set(comments) - {"via"}
    return asked


if __name__ == "__main__":
    main()
