"""The distribution of rendered scenes as data: every probability and range in one place.

A `Spread` is a least value and how far beyond it values go: `low + width * uniform(0, 1)`. It is
kept in this form, and not as two ends, so that a seed gives the same picture to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

Spread = tuple[float, float]
"""A least value, and how far beyond it values go."""


@dataclass(frozen=True)
class Tones:
    """Gray levels of text and ground.

    Attributes:
        contrast: Gray levels between the two, drawn from a beta distribution: low contrast is
            frequent.
        contrast_beta: The two parameters of that distribution.
        dark_text: How often the text is the darker one.
    """

    contrast: Spread = (30, 210)
    contrast_beta: tuple[float, float] = (1.3, 1.6)
    dark_text: float = 0.5


@dataclass(frozen=True)
class CropPadding:
    """Room that the crop leaves around the text, in heights of the text; negative cuts into it.

    Attributes:
        tight_until: Up to which draw the crop is tight.
        usual_until: Up to which draw it is as annotators cut; beyond, it is loose.
        wide_from: From which draw on there is additional room left and right.
        tight: Room of a tight crop, each side by itself.
        usual: Of a usual one.
        loose: Of a loose one.
        wide: The most additional room at each end.
    """

    tight_until: float = 0.25
    usual_until: float = 0.75
    wide_from: float = 0.86
    tight: tuple[float, float] = (-0.04, 0.08)
    usual: tuple[float, float] = (0.02, 0.28)
    loose: tuple[float, float] = (0.1, 0.6)
    wide: float = 2.0


@dataclass(frozen=True)
class Lettering:
    """How a line of text is set, before it is colored.

    Attributes:
        sizes_px: Sizes of the em that text is drawn at; the view scales by what is between.
        size_shares: How often each of them is drawn, relative to the others.
        line_from: Characters from which on a text is a line, and set smaller.
        line_em: The largest em of a line in pixels, times its characters.
        scale: Pixels of the crop per pixel of the drawing.
        spaced_until: Up to which draw letters are set wide.
        waving: Between which draws the letters jump up and down.
        tall_first_from: From which draw on a first letter is larger, until `plain_from`.
        plain_from: From which draw on text is set as the font sets it.
        ghosts_from: From which draw on a display shows its unlit segments.
        spacing: Extra room between letters, in em; the draw is squared.
        wave: The highest jump, in em.
        tall_first: Size of a larger first letter, relative to the others.
        beside: How often another text stands on each of the four sides.
        peek: The least of another text that is seen, in heights.
        peek_beside: How much more of it is seen left or right, at most.
        peek_above: Likewise above or below.
        gap_beside: The least gap to a text at the left or right, in em.
        gap_above: Likewise above or below.
        other_size: Size of the font of texts above and below, relative.
        lamps_until: Up to which draw text is shown by a board of lamps.
        bold_until: Up to which draw strokes are thickened.
        thin_until: Up to which draw they are thinned.
        lamp_rows: Rows of lamps in the height of a text.
        lamp_radius: Of a lamp, in quarters of its cell.
        lamp_from: Coverage from which a lamp is lit, 0 to 255.
    """

    sizes_px: tuple[int, ...] = (13, 15, 18, 21, 25, 30, 36, 43, 50)
    size_shares: tuple[float, ...] = (4, 6, 9, 12, 15, 17, 16, 12, 9)
    line_from: int = 26
    line_em: float = 1100
    scale: Spread = (0.82, 0.4)
    spaced_until: float = 0.18
    waving: tuple[float, float] = (0.16, 0.21)
    tall_first_from: float = 0.21
    plain_from: float = 0.26
    ghosts_from: float = 0.6
    spacing: Spread = (-0.05, 0.4)
    wave: float = 0.08
    tall_first: Spread = (1.15, 0.25)
    beside: float = 0.2
    peek: float = 0.02
    peek_beside: float = 0.13
    peek_above: float = 0.3
    gap_beside: float = 0.22
    gap_above: float = 0.06
    other_size: Spread = (0.6, 0.7)
    lamps_until: float = 0.015
    bold_until: float = 0.05
    thin_until: float = 0.07
    lamp_rows: Spread = (8, 6)
    lamp_radius: Spread = (1.4, 0.7)
    lamp_from: int = 100


@dataclass(frozen=True)
class Effects:
    """What letters are made of. Lengths are in heights of the text unless a unit is given.

    Attributes:
        layers: How often, and which layers, from the lowest up; shares sum to 1.
        solid: How often plain paint is opaque.
        faint: Opacity of plain paint that is not.
        gradient_until: Up to which draw uneven paint is a gradient.
        worn_until: Up to which draw it is worn; beyond, it has two colors.
        gradient: Strength of a gradient, as a share of the contrast.
        wear: Strength of wear, likewise.
        shadow_offset: Where a shadow falls, both ways.
        soft_shadow: How often a shadow is soft.
        shadow_sigma: Deviation of a soft shadow: pixels, and heights.
        dark_shadow: How often a shadow is darker than the ground, not of any gray level.
        shadow_level: The most of the ground's level that a dark shadow has.
        shadow_opacity: Of a shadow.
        depth: How far letters reach back: pixels, and heights.
        ground_depth: How often the sides of deep letters are shaded towards the ground.
        depth_shade: How far they are shaded.
        any_outline: How often an outline has any gray level.
        outline: Width of an outline.
        hollow: Width of the strokes of hollow letters.
        glow_sigma: Deviation of a glow: pixels, and heights.
        glow_opacity: Of a glow.
        relief_sigma: Softness of a relief: pixels, and heights.
        relief_reach: Width of its lit edges: pixels, and heights.
        relief_blend: How far its faces have the text's own level, at most.
        relief_contrast: Gray levels of contrast from which on its edges are at full strength.
    """

    layers: tuple[tuple[float, tuple[str, ...]], ...] = (
        (0.44, ("plain",)),
        (0.18, ("uneven",)),
        (0.08, ("shadow", "plain")),
        (0.02, ("shadow", "uneven")),
        (0.07, ("depth", "plain")),
        (0.02, ("depth", "outline", "plain")),
        (0.06, ("outline", "plain")),
        (0.02, ("shadow", "outline", "uneven")),
        (0.03, ("hollow",)),
        (0.03, ("glow", "plain")),
        (0.05, ("relief",)),
    )
    solid: float = 0.85
    faint: float = 0.6
    gradient_until: float = 0.45
    worn_until: float = 0.85
    gradient: float = 0.5
    wear: float = 0.2
    shadow_offset: Spread = (-0.07, 0.2)
    soft_shadow: float = 0.6
    shadow_sigma: tuple[float, float] = (0.5, 0.06)
    dark_shadow: float = 0.8
    shadow_level: float = 0.6
    shadow_opacity: Spread = (0.35, 0.6)
    depth: tuple[int, float] = (2, 0.17)
    ground_depth: float = 0.6
    depth_shade: Spread = (0.3, 0.7)
    any_outline: float = 0.5
    outline: Spread = (0.02, 0.06)
    hollow: float = 0.015
    glow_sigma: tuple[float, float] = (1, 0.12)
    glow_opacity: Spread = (0.5, 0.5)
    relief_sigma: tuple[float, float] = (0.5, 0.02)
    relief_reach: tuple[float, float] = (0.5, 0.03)
    relief_blend: float = 0.7
    relief_contrast: float = 70


@dataclass(frozen=True)
class Ground:
    """What text stands on. Strengths are shares of the contrast between text and ground.

    Attributes:
        gradient_chance: How often light falls unevenly.
        gradient: Strength of that, at most.
        textured_until: Up to which draw the ground has a texture.
        fine_until: Up to which draw that texture is weak.
        edge_until: Up to which draw, beyond textures, two surfaces meet behind the text.
        texture: The least strength of a texture.
        weak_texture: How much stronger a weak one may be.
        strong_texture: How much stronger another may be.
        edge: How far the second surface differs: the least, in contrasts.
        things_chance: How often there are edges, rules and other things beside the text.
        thing_chance: How often on each side that has room.
        filled: How often such a thing is filled, not a line.
        line_width: The widest line, in heights of the crop.
    """

    gradient_chance: float = 0.55
    gradient: float = 0.4
    textured_until: float = 0.5
    fine_until: float = 0.3
    edge_until: float = 0.54
    texture: float = 0.03
    weak_texture: float = 0.09
    strong_texture: float = 0.22
    edge: float = 0.15
    things_chance: float = 0.4
    thing_chance: float = 0.35
    filled: float = 0.6
    line_width: float = 0.08


@dataclass(frozen=True)
class Viewpoint:
    """How flat lettering comes to stand in a picture.

    Attributes:
        stretch: Deviation and mean of the logarithm of the width scale.
        upright: How often letters are not sheared.
        shear: Deviation and limit of the shear of the others.
        turns: Up to which draw a line is turned how far: deviation and limit, in degrees.
        long: Widths per height from which on a line is turned less.
        bent: How often a line longer than `bent_from` is bent.
        bent_from: Widths per height from which on lines may be bent.
        bend: The largest bend, in heights, and per width per height.
        arches: Up to which draw a bend is an arch, then a bowl; beyond, a wave.
        tilted: How often the crop is seen from the side.
        tilt_x: Deviation and limit of the tilt along the line.
        tilt_y: Likewise across it.
        largest_px: Pixels of a crop; larger ones are scaled down.
    """

    stretch: tuple[float, float] = (0.24, 0.15)
    upright: float = 0.7
    shear: tuple[float, float] = (0.2, 0.5)
    turns: tuple[tuple[float, float, float], ...] = ((0.5, 2, 25), (0.85, 9, 25), (1.0, 22, 50))
    long: float = 4
    bent: float = 0.14
    bent_from: float = 1.5
    bend: tuple[float, float] = (0.35, 0.07)
    arches: tuple[float, float] = (0.4, 0.65)
    tilted: float = 0.45
    tilt_x: tuple[float, float] = (0.12, 0.3)
    tilt_y: tuple[float, float] = (0.10, 0.3)
    largest_px: int = 48_000
