"""The image, built for real where buildah is: it runs as its user on a root that is read-only, and is the same twice.

The base is a Debian that is made here, with the Python of Debian: no registry is asked. Building needs root.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

import steno

TOP: Final = Path(__file__).parents[2]
AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"
BASE: Final = """\
FROM scratch
ADD root.tar /
RUN ["/bin/ln", "-s", "python3", "/usr/bin/python"]
"""
LOOPBACK: Final = """\
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x41))
"""
"""Brings loopback up (SIOCSIFFLAGS, IFF_UP and IFF_RUNNING) where the network is nobody else's."""
READ_ONLY: Final = """\
set -e
cd "$1"
mount --bind . .
cd "$1"
mount -o remount,bind,ro .
mount -t tmpfs -o uid=10001,gid=10001,mode=750 none var/log/steno
mount -t tmpfs none run
mkdir -p run/secrets/steno
echo a-token-of-the-test-that-nobody-knows > run/secrets/steno/http-token
mount -t proc none proc
export PATH=/opt/steno/bin:/usr/sbin:/usr/bin:/sbin:/bin LOGS_DIRECTORY=/var/log/steno
as="chroot --userspec=10001:10001 ."
chroot . python -c "$2"
$as touch /var/log/steno/here && $as rm /var/log/steno/here
if $as touch /here; then exit 3; fi
$as steno run -c /etc/steno/steno.toml &
until $as steno health -c /etc/steno/steno.toml; do kill -0 $! || exit 4; sleep 0.2; done
kill -TERM $!
wait $!
$as steno verify /var/log/steno
"""

ALONE: Final = ("--mount", "--propagation", "private", "--net", "--pid", "--fork", "--kill-child")
"""Namespaces: mounts and ports are its own, and what it starts ends with it."""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("buildah", "mmdebstrap", "unshare"))),
    reason="this needs root, buildah and mmdebstrap",
)


class Store:
    """A place for images of this test's own."""

    def __init__(self, folder: Path) -> None:
        self._options = ("--storage-driver", "vfs", "--root", folder / "images", "--runroot", folder / "run")

    def __call__(self, *command: str | Path) -> str:
        """Run buildah, and return the last line that it prints."""
        done = subprocess.run(
            ["buildah", *self._options, *command],
            cwd=TOP,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout.strip().rpartition("\n")[2]


def base(store: Store, folder: Path) -> None:
    """Put a Debian with a Python into the store."""
    packages = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", folder / "root.tar"], check=True
    )
    (folder / "Dockerfile").write_text(BASE, encoding="utf-8")
    store("bud", "--isolation=chroot", "--timestamp", "0", "-t", "localhost/base", folder)


def image(store: Store) -> str:
    """Build the image, and return its id. In the OCI form: in that of Docker, old buildahs put a random number."""
    arguments = ("--build-arg", "BASE=localhost/base", "--build-arg", "REVISION=0000000")
    mounted = ("-v", f"{AUTHORITIES}:{AUTHORITIES}:ro")
    form = ("--isolation=chroot", "--format", "oci", "--no-cache", "--timestamp", "1767225600")
    return store("bud", *form, *mounted, *arguments, "-f", "deploy/Dockerfile", ".")


@pytest.mark.timeout(1800)
def test_the_image_runs_and_is_the_same_twice(tmp_path: Path) -> None:
    """One test, since to build it takes a minute."""
    store = Store(tmp_path)
    base(store, tmp_path)

    first, second = image(store), image(store)
    container = store("from", first)
    version = store("run", "--isolation=chroot", container, "--", "steno", "--version")
    demo = store("run", "--isolation=chroot", container, "--", "sh", "-c", "steno demo --for 1 | grep 'log holds'")
    root = store("mount", container)
    on_read_only = subprocess.run(
        ["unshare", *ALONE, "sh", "-c", READ_ONLY, "sh", root, LOOPBACK],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    store("umount", container)
    store("rm", container)

    assert first == second
    assert version == f"steno {steno.__version__}"
    assert demo == "the audit log holds"
    assert on_read_only.returncode == 0, on_read_only.stdout
    assert "Read-only file system" in on_read_only.stdout
    assert "the audit log holds" in on_read_only.stdout
