"""Userlands and wheels for the emulated boards, from this machine's package sources.

Everything is downloaded for the other architecture and unpacked, nothing is installed on this
machine: no root, no chroot. What is complete is kept; a half of it never stays.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crnn_edge.errors import CrnnError
from tests.arm.machines import PYTHON, SUITE, Kit, Userland

NEEDED = {
    "qemu-aarch64": "qemu-user",
    "qemu-arm": "qemu-user",
    "cc": "gcc libc6-dev",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
}
"""Commands that must be there, and the Debian packages that bring them."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://deb.debian.org/debian/"

_GLIBCS = (17, 26, 27, 28, 31, 34, 35, 36)  # that wheels are built for and bookworm's can run


class SetupError(CrnnError):
    """A tool, a package or a folder that the emulation needs is missing."""


def run(command: Sequence[str | Path]) -> str:
    """What a command prints.

    Raises:
        SetupError: If it fails, with the end of what it said.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise SetupError(f"{' '.join(map(str, command))[:200]} … failed:\n{said}")
    return done.stdout


def require_tools() -> None:
    """Install what is missing, if this is root; else say what to install.

    Raises:
        SetupError: With the command that a person would type.
    """
    missing = [package for command, package in NEEDED.items() if not shutil.which(command)]
    if not KEYRING.exists():
        missing.append("debian-archive-keyring")
    if not missing:
        return
    packages = sorted({name for names in missing for name in names.split()})
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(
            f"the emulation needs what is not installed here: `sudo apt-get install "
            f"{' '.join(packages)}`"
        )
    print(f"installing {' '.join(packages)}", file=sys.stderr)
    run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages])


@contextmanager
def _fresh(target: Path) -> Iterator[Path]:
    """A folder that takes the place of `target` once all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        made = Path(scratch, "made")
        made.mkdir()
        yield made
        shutil.rmtree(target, ignore_errors=True)
        made.replace(target)


def kept(target: Path, recipe: str, make: Callable[[Path], None]) -> Path:
    """A folder as its recipe says: what is there already, or made now.

    Args:
        target: The folder.
        recipe: All that decides what is in it.
        make: Fills an empty folder.
    """
    note = "recipe.txt"
    if not (target / note).is_file() or (target / note).read_text() != recipe:
        with _fresh(target) as folder:
            make(folder)
            (folder / note).write_text(recipe)
    return target


def userland(land: Userland, folder: Path) -> Path:
    """The root folder of a Debian, below `folder`."""

    def make(root: Path) -> None:
        print(f"unpacking Debian {SUITE} for {land.architecture.debian}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as scratch:
            for package in _download(land, Path(scratch)):
                run(["dpkg-deb", "-x", package, root])
        _finish(root, land)

    return kept(
        folder / land.name, " ".join([SUITE, land.architecture.debian, *land.packages]), make
    )


def _download(land: Userland, scratch: Path) -> list[Path]:
    """Package files with all that they depend on, by an apt that believes nothing is installed."""
    for name in ("lists/partial", "archives/partial"):
        (scratch / name).mkdir(parents=True)
    source = f"deb [signed-by={KEYRING}] {_mirror()} {SUITE} main\n"
    (scratch / "sources.list").write_text(source)
    settings = {
        "APT::Architecture": land.architecture.debian,
        "APT::Architectures": land.architecture.debian,
        "APT::Sandbox::User": "root",
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": scratch / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::State::extended_states": scratch / "extended",
        "Dir::Cache::archives": scratch / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Debug::NoLocking": "true",
    }
    apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in settings.items())]
    run([*apt, "update"])
    run([*apt, "install", "-y", "--download-only", "--no-install-recommends", *land.packages])
    return sorted((scratch / "archives").glob("*.deb"))


def _mirror() -> str:
    """Where this machine gets Debian from, or where everyone does."""
    targets = run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)"])
    found = re.search(r"^Debian (?!\S*-security)\S+ (\S+)$", targets, flags=re.MULTILINE)
    return found[1] if found else MIRROR


def _finish(root: Path, land: Userland) -> None:
    """What the packages' own scripts would have done, as far as it is needed."""
    for name in ("bin", "lib", "sbin"):  # Debian's merged /usr
        old = root / name
        if old.is_dir() and not old.is_symlink():
            shutil.copytree(old, root / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(old)
            old.symlink_to(f"usr/{name}")
    libraries = root / "usr" / "lib" / land.architecture.triplet
    # The choice among packages that bring the same library: the fast one, if it is there.
    for library in ("libblas.so.3", "liblapack.so.3", "libopenblas.so.0"):
        found = sorted(
            libraries.glob(f"*/{library}"), key=lambda path: "openblas" in path.parent.name
        )
        if found:
            (libraries / library).symlink_to(found[-1].relative_to(libraries))


def wheels(kit: Kit, folder: Path, constraints: Path) -> Path:
    """A kit's wheels, unpacked below `folder` to be put on Python's path."""
    pinned = {wheel.partition("==")[0] for wheel in kit.wheels if "==" in wheel}
    lines = [
        line
        for line in constraints.read_text(encoding="utf-8").splitlines()
        if "==" in line and line.partition("==")[0] not in pinned
    ]
    platforms = ["manylinux2014", *(f"manylinux_2_{glibc}" for glibc in _GLIBCS)]

    def make(site: Path) -> None:
        if not kit.wheels:
            return
        print(
            f"fetching {', '.join(kit.wheels)} for {kit.userland.architecture.debian}",
            file=sys.stderr,
        )
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as limits:
            limits.write("\n".join(lines) + "\n")
            limits.flush()
            pip: list[str | Path] = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "-q",
                "--disable-pip-version-check",
            ]
            run(
                [*pip, "--no-compile", "--target", site, "--only-binary=:all:"]
                + ["--constraint", limits.name, "--python-version", PYTHON, "--implementation=cp"]
                + [f"--abi={abi}" for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none")]
                + [f"--platform={platform}_aarch64" for platform in platforms]
                + list(kit.wheels)
            )

    return kept(folder / f"site-{kit.name}", "\n".join([PYTHON, *kit.wheels, *lines]), make)
