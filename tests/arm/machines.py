"""The boards that are emulated, and what is installed on them."""

from __future__ import annotations

from dataclasses import dataclass

SUITE = "bookworm"
"""The Debian release whose userland runs, and whose C library and Python wheels must suit."""

PYTHON = "3.11"
"""The Python of that release."""


@dataclass(frozen=True)
class Processor:
    """A processor, as the emulator and its guests identify it.

    Attributes:
        name: For people; the column of the table.
        cpu: What QEMU calls it.
        part: The number by which libraries know it, in `/proc/cpuinfo`.
        features: What it can do, in the kernel's words.
    """

    name: str
    cpu: str
    part: int
    features: str


@dataclass(frozen=True)
class Architecture:
    """An instruction set, as each tool names it.

    Attributes:
        debian: In package names.
        qemu: The emulator's command.
        triplet: The folder of its libraries.
        version: Of the architecture, in `/proc/cpuinfo`.
    """

    debian: str
    qemu: str
    triplet: str
    version: int


@dataclass(frozen=True)
class Userland:
    """A Debian release.

    Attributes:
        name: Of its folder.
        architecture: Of its programs.
        packages: What is installed, with all that they need.
    """

    name: str
    architecture: Architecture
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Kit:
    """What is installed on a board, and which tests must pass there.

    Attributes:
        name: Of its folder.
        userland: What it stands on.
        wheels: From the package index, likewise; pinned here or in `constraints.txt`.
        engines: What runs a model file, by the file's suffix: a distribution's name.
        tests: Files of the project's tests that it runs.
        marked: Which of their tests, as pytest's `-m`.
    """

    name: str
    userland: Userland
    wheels: tuple[str, ...]
    engines: dict[str, str]
    tests: tuple[str, ...]
    marked: str = "not torch and not opencv and not host"


@dataclass(frozen=True)
class Board:
    """A processor with a kit."""

    processor: Processor
    kit: Kit

    @property
    def name(self) -> str:
        """For messages and folders: `Cortex-A72-wheels`."""
        return f"{self.processor.name}-{self.kit.name}"


ARM64 = Architecture("arm64", "qemu-aarch64", "aarch64-linux-gnu", 8)
ARMHF = Architecture("armhf", "qemu-arm", "arm-linux-gnueabihf", 7)

A72 = Processor("Cortex-A72", "cortex-a72", 0xD08, "fp asimd evtstrm crc32 cpuid")
A76 = Processor(
    "Cortex-A76",
    "cortex-a76",
    0xD0B,
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp",
)
A7 = Processor(
    "Cortex-A7",
    "cortex-a7",
    0xC07,
    "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm",
)

_DECODERS = ("charset", "ctc", "greedy", "beam", "prefix_search", "lexicon", "pattern", "metrics")
_NUMERIC = ("preprocess", "images", "numpy_backend")
_ONNX = ("backends", "recognizer", "tta", "runtime_cli", "decoder_settings", "manifest")
"""Tests whose network is an ONNX file."""

_PYTHON = ("python3", "libstdc++6", "libgomp1")
_TESTING = ("pillow", "pytest", "hypothesis")

_PLAIN = Userland("debian-arm64", ARM64, _PYTHON)
_NUMPY = Userland(
    "debian-armhf",
    ARMHF,
    # Without OpenBLAS, Debian's NumPy multiplies matrices with four times the instructions.
    (
        *(*_PYTHON, "python3-numpy", "libopenblas0-pthread"),
        *("python3-pil", "python3-pytest", "python3-hypothesis"),
    ),
)

WHEELS = Kit(
    name="wheels",
    userland=_PLAIN,
    wheels=("numpy", "onnxruntime", "ai-edge-litert", "onnx", *_TESTING),
    engines={".onnx": "onnxruntime", ".tflite": "ai-edge-litert", ".npz": "numpy"},
    tests=(*_NUMERIC, *_DECODERS, *_ONNX),
)
NUMPY1 = Kit(
    name="numpy1",
    userland=_PLAIN,
    wheels=("numpy==1.26.4", "tflite-runtime==2.14.0", *_TESTING),
    engines={".tflite": "tflite-runtime"},
    tests=_NUMERIC,
)
DEBIAN = Kit(
    name="debian",
    userland=_NUMPY,
    wheels=(),
    engines={".npz": "numpy"},
    tests=(*_NUMERIC, *_DECODERS),
)

BOARDS = (
    Board(A72, WHEELS),
    Board(A76, WHEELS),
    Board(A7, DEBIAN),  # which takes longer than the next two
    Board(A72, NUMPY1),
    Board(A76, NUMPY1),
)
