# ruff: noqa: INP001, S603  # a script of the house, in no package; it runs tools of Debian and of this checkout
"""Makes a Debian package of a wheel: /opt/steno, an environment with what the lock names, the units, a configuration.

The same wheel, lock and interpreter give the same file. The package is for the Python that it was made with, since
packages with compiled parts are: that of the system.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

TOP: Final = Path(__file__).parent.parent
DEPLOY: Final = TOP / "deploy"
LOCK: Final = TOP / "requirements.lock"
BUILDS: Final = "flit_core"
"""What the lock names for building alone."""
EPOCH: Final = os.environ.get("SOURCE_DATE_EPOCH", "1767225600")
"""The time of every file in the package: seconds since 1970."""
SCRIPTS: Final = ("postinst", "prerm", "postrm")
UNITS: Final = ("steno.service", "steno@.service", "steno-shard@.service", "steno.socket")
GLIBC: Final = (os.confstr("CS_GNU_LIBC_VERSION") or "glibc 2.36").partition(" ")[2]
"""Where it is built: pip takes extensions that ask for no newer one."""
LGPL: Final = "/usr/share/common-licenses/LGPL-2.1"
DESCRIPTION: Final = """observability daemon for AI conversations over websockets
 It reads the streams of voice agents and assistants, keeps the state of
 every conversation, and reports Prometheus metrics and an audit log that
 can be proved."""


def main(wheel: Path, folder: Path, python: Path, maintainer: str) -> Path:
    """Write the package of `wheel` into `folder`, and return where it is; it will run with `python`."""
    version = debian_version(tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
    architecture = output("dpkg", "--print-architecture")
    package = folder / f"steno_{version}_{architecture}.deb"
    with TemporaryDirectory(prefix="steno-deb-") as name:
        root = Path(name)
        # By its own name: `python3` is another one after an upgrade of Debian.
        install_environment(root, wheel, python.resolve())
        install_files(root)
        install_documentation(root, version, maintainer)
        write_control(root, version, architecture, maintainer)
        set_modes(root)
        run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", root, package, SOURCE_DATE_EPOCH=EPOCH)
    return package


def run(*command: str | Path, **environment: str) -> None:
    """Run a program. Raises CalledProcessError where it fails."""
    subprocess.run(command, check=True, env=os.environ | environment, stdout=subprocess.DEVNULL)


def output(*command: str | Path) -> str:
    """Return the line that a program prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def debian_version(version: str) -> str:
    """Return a version as Debian orders it: 1.0rc1 comes before 1.0."""
    return re.sub(r"\.?(a|b|rc|dev)(\d+)", r"~\1\2", version)


def install_environment(root: Path, wheel: Path, python: Path) -> None:
    """Put the interpreter's environment below `root`, without an installer and without a trace of where it was made."""
    prefix = root / "opt/steno"
    run(python, "-m", "venv", "--without-pip", prefix)
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", prefix / "bin/python", "--quiet"]
    run(*pip, "install", "--no-compile", "--require-hashes", "-r", LOCK)
    run(*pip, "install", "--no-compile", "--no-deps", "--no-index", wheel)
    run(*pip, "uninstall", "--yes", BUILDS)
    forget_place(root, prefix)
    (info,) = prefix.glob("lib/python3*/site-packages/steno-*.dist-info")
    copy(DEPLOY / "steno.cdx.json", info / "sboms/steno.cdx.json")
    compiled = ("-q", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/")
    run(prefix / "bin/python", "-m", "compileall", *compiled, prefix / "lib", PYTHONHASHSEED="0")


def forget_place(root: Path, prefix: Path) -> None:
    """Let the environment be where it will be installed; of its programs `steno` alone stays."""
    for program in (prefix / "bin").iterdir():
        if program.name == "steno":
            program.write_text(program.read_text(encoding="utf-8").replace(str(root), ""), encoding="utf-8")
        elif not program.name.startswith("python"):
            program.unlink()
    config = prefix / "pyvenv.cfg"
    lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("command")), encoding="utf-8")
    for record in prefix.glob("lib/python3*/site-packages/*.dist-info/RECORD"):
        (record.parent / "direct_url.json").unlink(missing_ok=True)
        kept = [line for line in record.read_text(encoding="utf-8").splitlines(keepends=True) if moved(line) is None]
        record.write_text("".join(kept), encoding="utf-8")
    shutil.rmtree(prefix / "include", ignore_errors=True)


def moved(line: str) -> re.Match[str] | None:
    """Return whether a line of a RECORD is about what is no longer there, or no longer as it was."""
    return re.match(r"\.\./|[^,]*/direct_url\.json,", line)


def install_files(root: Path) -> None:
    """Put the units, the user, the configuration and the command where Debian has them."""
    for unit in UNITS:
        copy(DEPLOY / unit, root / "usr/lib/systemd/system" / unit)
    copy(DEPLOY / "sysusers.conf", root / "usr/lib/sysusers.d/steno.conf")
    copy(DEPLOY / "debian/steno.toml", root / "etc/steno/steno.toml")
    (root / "etc/steno/credentials").mkdir()
    command = root / "usr/bin/steno"
    command.parent.mkdir(parents=True)
    command.symlink_to("/opt/steno/bin/steno")
    copy(DEPLOY / "debian/lintian-overrides", root / "usr/share/lintian/overrides/steno")


def install_documentation(root: Path, version: str, maintainer: str) -> None:
    """Put the pages, the examples and the licences of what is bundled into /usr/share/doc."""
    folder = root / "usr/share/doc/steno"
    for example in sorted([*(TOP / "config").glob("*.toml"), TOP / "config/steno.schema.json"]):
        copy(example, folder / "examples" / example.name)
    for page in (TOP / "docs").glob("*.md"):
        copy(page, folder / "docs" / page.name)
    for name in ("README.md", "CHANGELOG.md", "deploy/README.md"):
        copy(TOP / name, folder / name)
    date = output("date", "--utc", "--rfc-email", f"--date=@{EPOCH}")
    changes = f"steno ({version}) unstable; urgency=medium\n\n  * CHANGELOG.md says what changed.\n\n"
    write_gzip(folder / "changelog.gz", f"{changes} -- {maintainer}  {date}\n")
    (folder / "copyright").write_text("\n".join(licences(root)) + "\n", encoding="utf-8")


def licences(root: Path) -> Iterator[str]:
    """Yield what each bundled package says of its licence, and where its text is."""
    yield "Of steno itself no licence was chosen. In /opt/steno are these packages of others, by their licences. The"
    yield "copyright notices, of those that bring one, are in the folders that are named:"
    for metadata in sorted(root.glob("opt/steno/lib/python3*/site-packages/*.dist-info/METADATA")):
        head = metadata.read_text(encoding="utf-8").partition("\n\n")[0]
        fields = dict(re.findall(r"^(Name|Version|License-Expression): (.*)$", head, re.MULTILINE))
        classifiers = re.findall(r"^Classifier: License :: (.*)$", head, re.MULTILINE)
        said = fields.get("License-Expression") or ", ".join(classifiers)
        if fields["Name"] != "steno":
            yield f"\n{fields['Name']} {fields['Version']}: {said}{f' ({LGPL})' if 'LGPL' in said else ''}"
            yield f" /{metadata.parent.relative_to(root)}"


def write_control(root: Path, version: str, architecture: str, maintainer: str) -> None:
    """Write what dpkg reads, and the scripts that it runs."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    (python,) = (path.name for path in (root / "opt/steno/lib").glob("python3*"))
    fields = {
        "Package": "steno",
        "Version": version,
        "Architecture": architecture,
        "Maintainer": maintainer,
        "Installed-Size": str(sum(path.stat().st_size for path in files) // 1024),
        "Depends": f"{python}, libc6 (>= {GLIBC}), libstdc++6, ca-certificates, systemd | systemd-standalone-sysusers",
        "Section": "net",
        "Priority": "optional",
        "Description": DESCRIPTION,
    }
    folder = root / "DEBIAN"
    folder.mkdir()
    (folder / "control").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()), encoding="utf-8")
    (folder / "conffiles").write_text("/etc/steno/steno.toml\n", encoding="utf-8")
    sums = [
        f"{md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
        for path in files
        if path.relative_to(root).parts[0] != "etc"
    ]
    (folder / "md5sums").write_text("".join(sums), encoding="utf-8")
    for script in SCRIPTS:
        copy(DEPLOY / "debian" / script, folder / script)


def set_modes(root: Path) -> None:
    """Let modes follow from what a file is, and not from the umask of who builds."""
    programs = {root / "opt/steno/bin/steno", *(root / "DEBIAN" / script for script in SCRIPTS)}
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in programs else 0o644)
    (root / "etc/steno/credentials").chmod(0o700)


def copy(file: Path, to: Path) -> None:
    """Copy a file, and make the folders above it."""
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, to)


def write_gzip(path: Path, text: str) -> None:
    """Write a compressed file that has neither a name nor a time in it."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:
        file.write(text.encode())


if __name__ == "__main__":
    wheel, folder, python, maintainer = sys.argv[1:]
    print(main(Path(wheel), Path(folder), Path(python), maintainer))  # noqa: T201  # the file that was asked for
