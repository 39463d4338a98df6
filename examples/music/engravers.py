"""Programs that draw ABC notation: verovio for training, abcm2ps to test how that generalizes.

Each maps ABC and a random generator to an image `uint8 (H, W)`, dark on white.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from crnn_edge.errors import EngineError
from model.data.render.geometry import Pixels

FONTS = ("Bravura", "Gootville", "Leipzig", "Leland", "Petaluma")
"""Verovio's, all under the SIL Open Font License."""

_STYLE = {  # ranges; widths of strokes are in half staff spaces
    "scale": (35, 75),  # per cent, of staves of 72 px
    "staffLineWidth": (0.1, 0.25),
    "stemWidth": (0.12, 0.35),
    "barLineWidth": (0.2, 0.5),
    "ledgerLineThickness": (0.15, 0.4),
    "ledgerLineExtension": (0.35, 0.8),
    "beamMaxSlope": (0, 15),
    "spacingLinear": (0.12, 0.4),
    "spacingNonLinear": (0.5, 0.7),
}
_FIXED = {
    "inputFrom": "abc",
    "header": "none",
    "footer": "none",
    "breaks": "none",
    "pageWidth": 60_000,
    "adjustPageWidth": True,
    "adjustPageHeight": True,
}
_SINGLE_LINE = "%%fullsvg 1\n%%singleline 1\n%%writefields TX 0\n%%measurenb -1\n"
_ENDS = ("|", "]")
_BAR = re.compile(r'<g [^>]*class="barLine">.*?</g>', re.DOTALL)
_ENLARGED = 3  # times, of abcm2ps's staves of 24 px
_SECONDS = 60


def verovio(abc: str, rng: np.random.Generator, fonts: tuple[str, ...] = FONTS) -> Pixels:
    """Draw with verovio, in one of its fonts, with random strokes and spacing.

    Raises:
        EngineError: If the program is not installed or fails.
    """
    kit = _kit()
    options: dict[str, Any] = {
        name: round(float(rng.uniform(*limits)), 3) for name, limits in _STYLE.items()
    }
    for name in ("scale", "beamMaxSlope"):
        options[name] = round(options[name])
    kit.setOptions(_FIXED | options | {"font": fonts[int(rng.integers(len(fonts)))]})
    cut = not abc.rstrip().endswith(_ENDS)  # verovio leaves out a measure that has no end
    if not kit.loadData(f"{abc.rstrip()} |" if cut else abc):
        raise EngineError(f"verovio cannot draw {abc!r}")
    svg = kit.renderToSVG(1)
    if cut:
        *_, last = _BAR.finditer(svg)
        svg = svg[: last.start()] + svg[last.end() :]
    return _raster(svg)


def abcm2ps(abc: str, rng: np.random.Generator) -> Pixels:
    """Draw with abcm2ps; nothing is random.

    Raises:
        EngineError: If the program is not installed or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "score.abc"
        source.write_text(_SINGLE_LINE + abc, encoding="utf-8")
        try:
            subprocess.run(
                ["abcm2ps", "-g", source.name, "-O", "score.svg"],
                cwd=folder,
                check=True,
                capture_output=True,
                timeout=_SECONDS,
            )
        except FileNotFoundError:
            raise EngineError("abcm2ps is not installed: apt install abcm2ps") from None
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode(errors="replace").strip()
            raise EngineError(f"abcm2ps cannot draw {abc!r}: {reason}") from None
        except subprocess.TimeoutExpired:
            raise EngineError(f"abcm2ps did not finish {abc!r} within {_SECONDS} s") from None
        return _raster((Path(folder) / "score001.svg").read_text(encoding="utf-8"), _ENLARGED)


@lru_cache(maxsize=1)
def _kit() -> Any:
    """Verovio's toolkit, one a process: creating it takes long."""
    try:
        import verovio as engraver
    except ImportError:
        raise EngineError(_missing("verovio")) from None
    engraver.enableLog(engraver.LOG_OFF)
    return engraver.toolkit()


def _raster(svg: str, zoom: int = 1) -> Pixels:
    """The ink of a drawing as an image without margin."""
    try:
        import resvg_py
    except ImportError:
        raise EngineError(_missing("resvg-py")) from None
    data = bytes(resvg_py.svg_to_bytes(svg_string=svg, background="white", zoom=zoom))
    image: Pixels = cv2.imdecode(  # type: ignore[assignment]  # a PNG just made
        np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE
    )
    x, y, width, height = cv2.boundingRect((image < 128).astype(np.uint8))
    return image[y : y + height, x : x + width]


def _missing(package: str) -> str:
    return f"engraving needs {package}, which is not installed: pip install '.[music]'"
