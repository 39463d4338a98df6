"""How lettering stands in rendered pictures: turned, light or dark, in every face there is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crnn_edge.charset import Charset
from model.data.fonts import Face, find_faces
from model.data.render.geometry import Box, Warp, random_warp
from model.data.render.parameters import Viewpoint
from model.data.render.styles.scene import Style
from model.data.synth import Synth
from model.data.text.text_source import TextSource


def turned(warp: Warp) -> float:
    """By how many degrees the middle of a text's baseline is turned."""
    ends = [(x, (warp.text.top + warp.text.bottom) / 2, 1.0) for x in (1.49, 1.51)]
    (x0, y0, w0), (x1, y1, w1) = (warp.matrix @ np.array(end) for end in ends)
    return math.degrees(math.atan2(y1 / w1 - y0 / w0, x1 / w1 - x0 / w0))


def test_words_are_turned_either_way_some_far_and_long_ones_less() -> None:
    def turns(width: float) -> np.ndarray:
        rngs = map(np.random.default_rng, range(500))
        text = Box(0.0, 0.0, width, 1.0)
        return np.array(
            [turned(random_warp(rng, Viewpoint(), text, 30.0, (0.1,) * 4)) for rng in rngs]
        )

    short, long = turns(3.0), turns(16.0)
    assert 0.4 < np.mean(short > 0) < 0.6
    assert 1 < np.median(np.abs(short)) < 8
    assert 0.04 < np.mean(np.abs(short) > 20) < 0.2
    assert np.abs(long).max() < np.abs(short).max() / 2


def test_text_is_as_often_light_on_dark_as_dark_on_light() -> None:
    face = next(face for face in find_faces() if not face.numeric)
    lighter = []
    for seed in range(200):
        picture = Style().draw("HHHH", np.random.default_rng(seed), [face]).astype(float)
        height, width = picture.shape
        middle = picture[height // 4 : -height // 4, width // 4 : -width // 4]
        rim = np.concatenate([picture[0], picture[-1]])
        lighter.append(middle.mean() > rim.mean())
    assert 0.35 < np.mean(lighter) < 0.65


def test_every_face_of_a_family_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Face] = []
    found = [face for face in find_faces() if not face.numeric]
    family = max(
        ([face for face in found if face.family == name] for name in {f.family for f in found}),
        key=len,
    )
    assert len(family) > 1

    def drawn(
        _style: object, _text: str, _rng: object, faces: list[Face], *_: object
    ) -> np.ndarray:
        seen.extend(faces)
        return np.zeros((32, 32), np.uint8)

    monkeypatch.setattr(Style, "draw", drawn)
    synth = Synth(family, TextSource(("street",), Charset.ascii()), seed=5)
    for index in range(30 * len(family)):
        synth[index]
    assert set(seen) == set(family)


def test_what_is_drawn_beside_a_text_is_seen_as_far_as_its_room_goes() -> None:
    text, apart = Box(100.0, 100.0, 300.0, 140.0), []
    for seed in range(400):
        warp = random_warp(
            np.random.default_rng(seed), Viewpoint(), text, 1.0, (1.0, 0.1, 1.0, 0.1)
        )
        if warp.bend[0] or max(abs(warp.matrix[0, 1]), abs(warp.matrix[1, 0])) > 0.04:
            continue  # what is turned, sheared or bent reaches its box with a corner
        edge = np.array([text.left - text.height, (text.top + text.bottom) / 2, 1.0])
        x, _, w = warp.matrix @ edge
        apart.append(abs(x / w) / text.height)
    assert len(apart) > 30
    assert np.median(apart) < 0.06
