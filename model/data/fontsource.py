"""License-free fonts from the npm registry's `@fontsource` packages, as small `.ttf` files.

Only families of `families.txt` are asked for, only their Latin subsets are kept, and only under
an open license that the package itself states. npm comes as `npm` on the PATH; fontTools turns
the packages' compressed files into plain ones, which open several times faster.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from crnn_edge.errors import EngineError

FAMILIES = Path(__file__).with_name("families.txt")
_LICENCES = ("ofl", "apache", "ufl", "ubuntu", "mit", "cc0", "unlicense")
_STYLES = ("300-normal", "400-normal", "700-normal", "900-normal", "400-italic", "700-italic")
_AT_ONCE = 24  # packages a call of npm installs


def families() -> dict[str, bool]:
    """The curated family names, and whether each is an everyday one."""
    lines = FAMILIES.read_text(encoding="utf-8").splitlines()
    entries = [line.split() for line in lines if line and not line.startswith("#")]
    return {name: bool(star) for name, *star in entries}


def fetch(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Bring families into `folder/NAME/`, skipping those that are there.

    Yields:
        Name, license and number of font files of each family; a family without an open license,
        or that the registry does not have, comes with 0 files.

    Raises:
        EngineError: If npm or fontTools is not installed, or npm can reach no registry.
    """
    if shutil.which("npm") is None:
        raise EngineError("npm is not on the PATH: install Node.js, or give a folder of your fonts")
    folder.mkdir(parents=True, exist_ok=True)
    todo = [name for name in names if not (folder / name / "license.txt").exists()]
    for name in names:
        if name not in todo:
            yield name, _license_there(folder / name), len(list((folder / name).glob("*.ttf")))
    failed = 0
    for start in tqdm(range(0, len(todo), _AT_ONCE), desc="npm calls", disable=None):
        batch = todo[start : start + _AT_ONCE]
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            # A family that has gone fails the whole call, so the call is then cut up.
            parts = [batch] if _install(batch, scratch) else [[name] for name in batch]
            for part in parts:
                if len(parts) > 1 and not _install(part, scratch):
                    failed += 1
                    yield part[0], "not in the registry", 0
                    continue
                for name in part:
                    yield _keep(Path(scratch) / "node_modules/@fontsource" / name, folder / name)
        if failed == start + len(batch):  # not one yet
            raise EngineError(f"npm brought none of {failed} families: is the registry reachable?")


def _license_there(target: Path) -> str:
    return (target / "license.txt").read_text(encoding="utf-8").splitlines()[0]


def _install(names: Sequence[str], scratch: str) -> bool:
    """Install packages into a scratch folder; whether npm was content."""
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", scratch]
    packages = [f"@fontsource/{name}" for name in names]
    run = subprocess.run(["npm", "install", *options, *packages], capture_output=True, check=False)
    return run.returncode == 0


def _keep(package: Path, target: Path) -> tuple[str, str, int]:
    """Move a package's Latin fonts to `target` as plain `.ttf`, if its license is open."""
    license = str(json.loads((package / "package.json").read_text(encoding="utf-8")).get("license"))
    if not license.lower().startswith(_LICENCES):
        return target.name, license, 0
    scratch = Path(tempfile.mkdtemp(dir=target.parent))
    files = sorted(package.glob("files/*.woff2")) or sorted(package.glob("files/*.woff"))
    # A family of one script has no subsets in its file names.
    files = [file for file in files if "-latin-" in file.name] or files
    count = 0
    for file in files:
        if file.stem.endswith(_STYLES):
            count += _plain(file, scratch / f"{file.stem.replace('-latin', '')}.ttf")
    text = next(iter(package.glob("LICENSE*")), None)
    terms = text.read_text(encoding="utf-8", errors="replace") if text else ""
    (scratch / "license.txt").write_text(f"{license}\n\n{terms}", encoding="utf-8")
    scratch.chmod(0o755)
    scratch.rename(target)
    return target.name, license, count


def _plain(source: Path, target: Path) -> bool:
    """Write a `.woff` or `.woff2` font uncompressed; whether it was a sound font."""
    try:
        from fontTools.ttLib import TTFont, TTLibError
    except ImportError:
        raise EngineError("fontTools is not installed: pip install fonttools brotli") from None
    try:
        with TTFont(source) as font:
            font.flavor = None
            font.save(target)
    except TTLibError:
        return False
    return True
