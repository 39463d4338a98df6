"""Types of arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

Image = npt.NDArray[np.uint8]
"""An image `uint8 (H, W)` gray or `(H, W, 3)` RGB."""
