"""The arrows between packages, and what each may import. Everything not allowed is forbidden."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from crnn_edge.selftest import selftest_image

ROOT = Path(__file__).parent.parent

ARROWS = {
    "crnn_edge": {"crnn_edge"},
    "quantize": {"quantize", "crnn_edge"},
    "model": {"model", "crnn_edge"},
    "export": {"export", "model", "quantize", "crnn_edge"},
    "examples": {"examples", "export", "model", "quantize", "crnn_edge"},
}

# Beyond the standard library. An engine belongs to the files of its name.
LIBRARIES = {
    "crnn_edge": {"numpy"},
    "quantize": {"numpy"},
}
ENGINES = {
    "runtime/crnn_edge/backends/onnx.py": {"onnxruntime"},
    "runtime/crnn_edge/backends/openvino.py": {"openvino"},
    "runtime/crnn_edge/backends/tflite.py": {"ai_edge_litert", "tflite_runtime"},
    "quantize/formats/onnx.py": {"onnx"},
    "quantize/formats/openvino.py": {"openvino"},
    "quantize/formats/tflite/graph.py": {"ai_edge_litert", "flatbuffers"},
    "quantize/onnx.py": {"onnxruntime"},
}
READERS = {"runtime/crnn_edge/images.py": {"PIL"}, "runtime/crnn_edge/images_cv2.py": {"cv2"}}

FOLDERS = {package: ROOT / package for package in ARROWS} | {
    "crnn_edge": ROOT / "runtime/crnn_edge"
}
FILES = [p for folder in FOLDERS.values() for p in sorted(folder.rglob("*.py"))]


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "" if node.level == 0 else "." * node.level


def roots(names: Iterator[str]) -> set[str]:
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    package = next(name for name, folder in FOLDERS.items() if path.is_relative_to(folder))
    parts = path.relative_to(FOLDERS[package]).with_suffix("").parts
    return ".".join((package, *parts)).removesuffix(".__init__")


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports in functions and under `TYPE_CHECKING` count, too."""
    paths = {module_name(path): path for path in FILES}
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        targets = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                whole = [f"{node.module}.{alias.name}" for alias in node.names]
                targets |= {x if x in paths else node.module or "" for x in whole}
        graph[name] = (targets & set(paths)) - {name}
    while free := {name for name, targets in graph.items() if not targets}:
        graph = {name: targets - free for name, targets in graph.items() if name not in free}
    # What is left imports a circle, or is part of one.
    used = {target for targets in graph.values() for target in targets}
    assert {name: targets for name, targets in graph.items() if name in used} == {}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_follow_the_arrows(path: Path) -> None:
    package = next(name for name, folder in FOLDERS.items() if path.is_relative_to(folder))
    found = roots(imports(ast.parse(path.read_text())))
    assert "" not in found, "imports are absolute"
    ours = found & set(ARROWS)
    assert ours <= ARROWS[package]
    if package in LIBRARIES:
        allowed = LIBRARIES[package] | ENGINES.get(relative(path), set())
        assert found - ours <= allowed | READERS.get(relative(path), set())


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.is_relative_to(FOLDERS["crnn_edge"])], ids=relative
)
def test_the_runtime_imports_engines_and_readers_only_when_needed(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = []
    assert roots(imports(tree)) <= {"numpy", "crnn_edge"}


def run(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


BLOCK = """
import json, sys
from importlib.abc import MetaPathFinder
blocked = set(sys.argv[1].split(","))
class Block(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Block())
"""

FOREIGN = (
    "torch,torchvision,cv2,onnx,openvino,nncf,tflite_runtime,ai_edge_litert,tensorflow,lmdb,tqdm,"
    "matplotlib,safetensors,scipy,model,quantize,export"
)


def test_the_runtime_imports_with_numpy_alone() -> None:
    code = BLOCK + (
        "import crnn_edge, crnn_edge.cli.main, crnn_edge.benchmark, crnn_edge.metrics\n"
        "import crnn_edge.selftest\n"
        "import crnn_edge.backends.onnx, crnn_edge.backends.openvino, crnn_edge.backends.tflite\n"
        "import crnn_edge.backends.numpy, crnn_edge.decoders.greedy\n"
    )
    run(code, f"{FOREIGN},onnxruntime,PIL")


def test_importing_the_runtime_loads_no_engine_and_no_reader() -> None:
    code = "import sys, json, crnn_edge; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(run(code)))
    assert not loaded & {*FOREIGN.split(","), "onnxruntime", "PIL", "subprocess"}


def test_reading_needs_numpy_one_engine_and_a_reader(tiny_model: Path, tmp_path: Path) -> None:
    Image.fromarray(selftest_image()).save(tmp_path / "word.png")
    code = BLOCK + (
        "from crnn_edge import Recognizer, read_image\n"
        "reading = Recognizer.load(sys.argv[2])(read_image(sys.argv[3]))\n"
        "print(json.dumps(reading.to_dict()))\n"
    )
    assert json.loads(run(code, FOREIGN, tiny_model, tmp_path / "word.png"))["text"]


def test_reading_never_imports_torch_or_opencv(tiny_model: Path, tmp_path: Path) -> None:
    Image.fromarray(selftest_image()).save(tmp_path / "word.png")
    code = (
        "import sys; from crnn_edge.cli.main import main\n"
        "main(['read', '--model', sys.argv[1], '--json', sys.argv[2]])\n"
        "print(sorted({'torch', 'cv2', 'onnx', 'model', 'export', 'quantize'} & set(sys.modules)))"
    )
    assert run(code, tiny_model, tmp_path / "word.png").splitlines()[-1] == "[]"


# Entry points that answer `--help` without heavy packages, and say which extra brings them.
LIGHT = [
    "crnn_edge",
    *(f"export.{name}" for name in ("onnx", "openvino", "tflite", "numpy", "all", "verify")),
    *(f"quantize.{name}" for name in ("onnx", "openvino", "tflite", "numpy", "sensitivity")),
    *(f"model.{name}" for name in ("train", "evaluate", "average", "qat")),
]


@pytest.mark.parametrize("command", LIGHT)
def test_help_needs_numpy_alone(command: str) -> None:
    code = BLOCK + (
        "import runpy\ncommand = sys.argv[2]\nsys.argv[1:] = ['--help']\n"
        "runpy.run_module(command, run_name='__main__')"
    )
    blocked = ",".join(set(FOREIGN.split(",")) - {"model", "quantize", "export"})
    assert "usage:" in run(code, f"{blocked},onnxruntime,PIL", command)


def test_a_read_loads_few_of_our_modules(tiny_model: Path, tmp_path: Path) -> None:
    # Start-up time goes with the number of modules, not with their length.
    Image.fromarray(selftest_image()).save(tmp_path / "word.png")
    code = (
        "import sys; from crnn_edge import Recognizer, read_image\n"
        "Recognizer.load(sys.argv[1])(read_image(sys.argv[2])).confidence\n"
        "print(*(name for name in sys.modules if name.partition('.')[0] == 'crnn_edge'))"
    )
    modules = run(code, tiny_model, tmp_path / "word.png").split()
    assert "crnn_edge.recognizer" in modules
    assert len(modules) <= 40
