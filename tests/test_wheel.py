"""The wheel: what is in it, and that it reads an image wherever it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import crnn_edge

ROOT = Path(__file__).parent.parent
MAX_BYTES = 2_500_000
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]

pytestmark = [pytest.mark.slow, pytest.mark.host]


def run(*command: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    # Without PYTHONPATH, which would let the clone stand in for what is installed.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a copy: building leaves files behind
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT / "runtime", source / "runtime", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    done = run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source)
    if done.returncode and "setuptools" in done.stderr:  # an environment without it
        done = run(*PIP, "wheel", "--no-deps", "-w", folder, source)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture
def stray(tmp_path: Path) -> Path:
    """A folder with an image and modules that share their names with folders of the clone."""
    shutil.copy(ROOT / "examples" / "images" / "serial.jpg", tmp_path / "word.jpg")
    for name in ("runtime.py", "model.py", "quantize.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module was imported')\n")
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
    return tmp_path


def check_reading(python: Path, folder: Path) -> None:
    """Read the image in a folder by each way to call the package."""
    script = python.with_name("crnn-edge")
    for command in ([script], [python, "-m", "crnn_edge"]):
        done = run(*command, "read", "word.jpg", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("word.jpg\tSN-7F3A92\t")
    assert run(script, "--version").stdout == f"crnn-edge {crnn_edge.__version__}\n"
    usage = run(script, "read", "--help").stdout
    assert usage.startswith("usage: crnn-edge read")
    assert "\n  crnn-edge read word.png\n" in usage
    code = (
        "from crnn_edge import Recognizer, read_image; "
        "print(Recognizer.load()(read_image('word.jpg')).text)"
    )
    assert run(python, "-c", code, cwd=folder).stdout == "SN-7F3A92\n"


def test_the_wheel_has_the_device_side_alone(wheel: Path) -> None:
    assert wheel.stat().st_size < MAX_BYTES
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(info))
    folders = {name.partition("/")[0] for name in names}
    assert folders == {"crnn_edge", info.partition("/")[0]}
    models = {name for name in names if "/models/" in name}
    assert {Path(name).name for name in models} == {
        "crnn-lite.onnx", "crnn-medium.onnx", "english.lm",
    }  # fmt: skip
    assert "crnn_edge/py.typed" in names
    assert metadata["Version"] == crnn_edge.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Author"]
    assert metadata.get_all("Classifier")
    camera = [r for r in metadata.get_all("Requires-Dist") or [] if 'extra == "camera"' in r]
    assert any("opencv" in r for r in camera)
    assert any("crnn-edge[onnx]" in r for r in camera)  # an engine, and Pillow


def test_an_installed_wheel_reads_in_a_folder_of_stray_modules(
    wheel: Path, stray: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    done = run(*PIP, "--python", python, "install", "--no-index", "--no-deps", wheel)
    assert done.returncode == 0, done.stderr
    # Dependencies come from where the tests run; an editable install there is not followed.
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    check_reading(python, stray)


def python_of(version: str) -> str | None:
    """Another Python, on the path or where pyenv keeps it."""
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    return str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")  # a shim may not run


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_wheel_and_its_extra_install_with_other_pythons(
    version: str, wheel: Path, stray: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if version == "{}.{}".format(*sys.version_info):
        pytest.skip("the Python of the tests is tested above")
    if (other := python_of(version)) is None or run(other, "--version").returncode:
        pytest.skip(f"no Python {version} on this machine")
    folder = tmp_path_factory.mktemp("venv")
    assert run(other, "-m", "venv", folder).returncode == 0
    python = folder / "bin" / "python"
    done = run(python, "-m", "pip", "install", "--only-binary", ":all:", f"{wheel}[onnx]")
    if "No matching distribution found" in done.stderr:
        pytest.skip(f"no index with packages for Python {version} can be reached")
    assert done.returncode == 0, done.stderr
    check_reading(python, stray)
