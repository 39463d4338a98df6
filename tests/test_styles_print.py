"""Styles that draw print and metal: same seed same picture, sizes, labels that are drawn."""

from __future__ import annotations

import importlib
import re
from typing import Any

import numpy as np
import pytest

from model.data.fonts import PRINTABLE, Face, find_faces

NAMES = ("plate", "thermal", "label", "stamped", "engraved", "price")
COUNT = 60


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    return find_faces()


def style(name: str, **fields: Any) -> Any:
    return importlib.import_module(f"model.data.render.styles.{name}").Style(**fields)


def pictures(name: str, faces: list[Face], seed: int, **fields: Any) -> list[Any]:
    drawn, source = [], style(name, **fields)
    for index in range(COUNT):
        rng = np.random.default_rng((seed, index))
        text = source.sample_text(rng)
        drawn.append((source.draw(text, rng, faces), text))
    return drawn


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_a_picture(name: str, faces: list[Face]) -> None:
    first, again = pictures(name, faces, 4), pictures(name, faces, 4)
    for (a, text), (b, other) in zip(first, again, strict=True):
        assert text == other
        assert np.array_equal(a, b)
    assert len({text for _, text in first}) > COUNT // 2


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_gray_crops_with_something_in_them(name: str, faces: list[Face]) -> None:
    for image, text in pictures(name, faces, 5):
        assert image.dtype == np.uint8
        assert image.ndim == 2
        assert 12 <= image.shape[0] <= 90, (text, image.shape)
        assert image.shape[1] >= 8
        assert image.std() > 2, text


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sampled_is_covered_and_printable(name: str) -> None:
    source, rng = style(name), np.random.default_rng(6)
    for _ in range(500):
        text = source.sample_text(rng)
        assert set(text) <= set(PRINTABLE), text
        assert text == text.strip()
        assert source.covers(text), text
        assert "  " not in text


@pytest.mark.parametrize("name", NAMES)
def test_nothing_else_is_covered(name: str) -> None:
    source = style(name)
    for text in ("", " 12", "12 ", "12é", "x" * 61):
        assert not source.covers(text), text


def test_a_plate_is_capitals_digits_and_single_marks() -> None:
    source, rng = style("plate"), np.random.default_rng(7)
    texts = [source.sample_text(rng) for _ in range(3000)]
    assert all(re.fullmatch(r"[A-Z0-9]+([ .-][A-Z0-9]+)*", text) for text in texts)
    assert 0.35 < np.mean([text.isalnum() for text in texts]) < 0.75
    for text in ("ab-12", "A--1", "-A1", "A_1"):
        assert not source.covers(text)
    assert source.covers("AB-123-CD")
    assert source.covers("ZZZZZZ 1")  # of no country


def test_plates_of_the_named_countries_are_sampled() -> None:
    source, rng = style("plate", closed=0.0), np.random.default_rng(8)
    texts = [source.sample_text(rng) for _ in range(6000)]
    forms = {
        "France": r"[A-Z]{2}-\d{3}-[A-Z]{2}",
        "Spain": r"\d{4} [A-Z]{3}",
        "Netherlands": r"\d\d-[A-Z]{3}-\d",
        "Brazil": r"[A-Z]{3}-\d{4}",
        "Mercosul": r"[A-Z]{3}\d[A-Z]\d\d",
        "India": r"[A-Z]{2} \d\d [A-Z]{2} \d{4}",
        "United Kingdom": r"[A-Z]{2}\d\d [A-Z]{3}",
        "Romania": r"[A-Z] \d\d [A-Z]{3}",
    }
    for country, form in forms.items():
        assert sum(bool(re.fullmatch(form, text)) for text in texts) > 8, country


def test_a_dash_of_a_plate_is_drawn(faces: list[Face]) -> None:
    """The same plate, with the dash and with nothing between its groups, is not the same width."""
    source = style("plate", tight=1.0, far=0.0, turn=0.0)
    widths = []
    for text in ("AB-123-CD", "AB123CD"):
        shapes = [source.draw(text, np.random.default_rng(seed), faces).shape for seed in range(40)]
        widths.append(np.median([width / height for height, width in shapes]))
    assert widths[0] > widths[1]


@pytest.mark.parametrize("name", NAMES)
def test_fields_are_what_it_draws_by(name: str, faces: list[Face]) -> None:
    small = {"rows": (9.0, 10.0)}
    large = {"rows": (38.0, 40.0)}
    heights = [
        np.median([image.shape[0] for image, _ in pictures(name, faces, 9, **rows)])
        for rows in (small, large)
    ]
    assert heights[0] < heights[1]
