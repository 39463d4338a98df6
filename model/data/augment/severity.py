"""How often and how severely `corruptions.Augment` applies each corruption.

In every function `s` is a strength from 0 to 2, `u` a uniform draw from [0, 1), and heights are in
pixels.
"""

from __future__ import annotations

# Chances at strength 1; they grow in proportion.
JITTER, LIGHT, GRAIN, JPEG, INVERT = 0.35, 0.5, 0.35, 0.35, 0.04
BLUR = 0.42  # of the same draw, so that no picture suffers two of these:
SHRINK, SHARPEN = 0.13, 0.2  # counted from 1 downwards, sharpening below shrinking
# Beyond a strength of 1.6 that draw is used up: what blur gains, these two lose.

# The kinds of a fault: up to which draw each is chosen; the last is for all draws beyond.
LIGHT_KINDS = (0.5, 0.72, 0.84, 0.92)  # curve, gradient, texture, shadow, glare
BLUR_KINDS = (0.6, 0.8)  # gaussian, defocus, motion
SHRINK_AREA = 0.7  # how often a picture is shrunk by averaging, not by picking pixels
SHRINK_KINDS = (0.25, 0.5)  # and enlarged by nearest, linear, cubic interpolation
GRAIN_KINDS = (0.5, 0.7, 0.975)  # even, growing with light, coarse, dead pixels

TURN = 0.09  # radians, one standard deviation
CORNER_X, CORNER_Y = 0.2, 0.06  # heights that corners move in all
CORNER_WIDE = 0.06  # widths, which bounds CORNER_X for short words
GRADIENT, TEXTURE, GLARE = 0.4, 0.12, 110  # shares of the light, but gray levels of a glare
SHADOW, SHADOW_LIMIT = 0.55, 1.5  # share of the light; the strength beyond which none gets darker
BRIGHT_GRAIN = 9  # root of the gray level at which noise that grows with light is like even noise
COARSE, COARSE_SIGMA = 2.3, 0.8  # smoothing leaves 0.35 of the noise's deviation
DEAD = 2.7  # deviations beyond which a pixel is dead


def log_gamma(s: float, u: float) -> float:
    """The logarithm of a tone curve's exponent."""
    return 0.45 * s * (2 * u - 1)


def contrast(s: float, u: float) -> float:
    """What a tone curve multiplies differences from the middle with."""
    return 1 + 0.5 * s * (u - 0.6)


def exposure(s: float, u: float) -> float:
    """What a tone curve adds, as a share of all levels."""
    return 0.3 * s * (u - 0.5)


def blur_sigma(height: float, s: float, u: float) -> float:
    """A gaussian blur's deviation in pixels, of a picture of `height`."""
    few_large: float = u**1.7
    return 0.3 + height * 0.045 * s * few_large


def blur_reach(height: float, s: float, u: float) -> float:
    """How far defocus or motion carry, in pixels either way."""
    return height * 0.04 * s * u


def shrunk_rows(s: float, u: float) -> float:
    """Rows that are left of a picture that was shrunk."""
    rows: float = (12 + 12 * u) / s**0.5
    return rows


def halo_sigma(u: float) -> float:
    """How far the halo of sharpening reaches, in pixels."""
    return 0.8 + 1.5 * u


def halo_amount(s: float, u: float) -> float:
    """How much of the difference to a soft picture sharpening adds."""
    return (0.5 + 1.5 * u) * s


def grain_sigma(deviation: float, s: float, u: float) -> float:
    """The deviation of noise in gray levels.

    In proportion to the `deviation` of the picture's own levels, or dim words would drown.
    """
    return (6 + deviation) * s * (0.03 + 0.3 * u**2)


def jpeg_quality(s: float, u: float) -> float:
    """Of a JPEG, from 18 to 90; whole qualities are rounded down."""
    quality: float = 18 + 72 * u ** (0.6 + 0.6 * s)
    return quality
