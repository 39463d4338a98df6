from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from decoding import decode
from PIL import Image
from tiny import CHARSET

from crnn_edge.cli.main import main
from crnn_edge.decoders import beam, make_decoder
from crnn_edge.decoders.settings import parse_settings
from crnn_edge.errors import DecodeError
from crnn_edge.recognizer import Recognizer
from crnn_edge.selftest import selftest_image


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(selftest_image()).save(tmp_path / "word.png")
    return tmp_path / "word.png"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_settings_become_what_the_decoder_declares() -> None:
    written = ["beam_size=20", "min_token_prob=1e-3", "pattern=[a=]+"]
    expected = {"beam_size": 20, "min_token_prob": 1e-3, "pattern": "[a=]+"}
    assert parse_settings("beam", written) == expected
    assert parse_settings("lexicon", ["words=3", "ignore_case=false"]) == {
        "words": "3", "ignore_case": False,
    }  # fmt: skip
    assert parse_settings("greedy", []) == {}


@pytest.mark.parametrize(
    ("written", "told"),
    [("beam_size", "NAME=VALUE, got 'beam_size'"), ("beam_size=ten", "must be int, got 'ten'")],
)
def test_settings_that_are_none_are_refused(written: str, told: str) -> None:
    with pytest.raises(DecodeError, match=told):
        parse_settings("beam", [written])
    with pytest.raises(DecodeError, match="must be bool, got 'no'"):
        parse_settings("lexicon", ["ignore_case=no"])


def test_a_recognizer_takes_a_decoder_or_its_name_and_settings(tiny_model: Path) -> None:
    image = selftest_image()
    named = Recognizer.load(
        tiny_model, decoder="beam", decoder_settings={"beam_size": 3, "nbest": 3}
    )
    made = beam.Decoder(named.manifest.charset, beam_size=3, nbest=3)
    given = Recognizer.load(tiny_model, decoder=made)
    assert named(image) == given(image)
    assert len(named(image).alternatives) == 2
    assert named.batch([image, image[:, :100]])[1] == named(image[:, :100])
    with pytest.raises(DecodeError, match=r"settings \['beam_size'\] need a decoder name"):
        Recognizer.load(tiny_model, decoder=made, decoder_settings={"beam_size": 3})


@pytest.mark.parametrize(
    ("decoder", "settings", "told"),
    [
        (
            "beam",
            {"beam_size": "3"},
            "'beam_size' must .* got str '3'",
        ),
        ("beam", {"beam_size": 3.5}, "'beam_size' must .* got float '3.5'"),
        ("beam", {"beam_size": True}, "'beam_size' must .* got bool 'True'"),
        ("beam", {"nbest": 2.5}, "'nbest' must .* got float"),
        (
            "beam",
            {"min_token_prob": "x"},
            "'min_token_prob' must be a number .* got str",
        ),
        (
            "beam",
            {"pattern": re.compile("a")},
            "'pattern' must .* got Pattern",
        ),
        ("prefix_search", {"max_expansions": "9"}, "'max_expansions' must .* got str"),
        ("prefix_search", {"pattern": b"a"}, "'pattern' must .* got bytes"),
        ("lexicon", {"words": [b"a"]}, "'words' must be text .* got bytes"),
        ("lexicon", {"words": 7}, "a file or a sequence of words for a lexicon, got int"),
        ("lexicon", {"words": ["a"], "lexicon_prior": "x"}, "'lexicon_prior' must .* got str"),
        ("lexicon", {"words": ["a"], "ignore_case": "no"}, "'ignore_case' must .* got str 'no'"),
    ],
)
def test_settings_of_another_kind_are_refused(
    decoder: str, settings: dict[str, object], told: str
) -> None:
    with pytest.raises(DecodeError, match=told):
        make_decoder(decoder, CHARSET, **settings)


def test_numbers_of_numpy_are_numbers() -> None:
    wide = make_decoder("beam", CHARSET, beam_size=np.int64(3), min_token_prob=np.float32(0.5))
    log_probs = np.log(np.full((1, 4, CHARSET.num_classes), 1 / 11, np.float32))
    assert decode(wide, log_probs) == decode(
        make_decoder("beam", CHARSET, beam_size=3, min_token_prob=0.5), log_probs
    )


def test_read_with_a_pattern(
    tiny_model: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["read", "--model", tiny_model, picture, "--decoder", "beam", "--json"]
    code, out, _ = run(capsys, *arguments, "--set", "pattern=[abc]{3}", "--set", "nbest=3")
    told = json.loads(out)
    assert code == 0
    assert len(told["text"]) == 3
    assert told["matches_constraint"] is True
    assert [set(other) for other in told["alternatives"]] == [{"text", "log_prob", "lm_score"}] * 2


def test_read_with_a_lexicon_and_its_index(
    tiny_model: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, index = tmp_path / "words.txt", tmp_path / "words.lexicon"
    words.write_text("bad\nface\ncabbage\n")
    code, out, _ = run(capsys, "index-lexicon", words, "--out", index, "--model", tiny_model)
    assert (code, out.startswith(f"{index}: 3 words, ")) == (0, True)
    readings = [
        run(capsys, "read", "--model", tiny_model, picture, "--decoder", "lexicon", "--set",
            f"words={path}")
        for path in (words, index)
    ]  # fmt: skip
    assert readings[0] == readings[1]
    assert readings[0][1].split("\t")[1] in ("bad", "face", "cabbage")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--set", "help="], "--set help= needs --decoder"),
        (
            ["--decoder", "greedy", "--set", "help="],
            "'greedy' has no setting ['help']: it has ignore=''",
        ),
        (["--decoder", "beam", "--set", "help="], "it has beam_size=10, min_token_prob=0.02"),
        (
            ["--decoder", "beam", "--set", "beam_size=0"],
            "at least 1 and at most 10,000, got int '0'",
        ),
        (
            ["--decoder", "beam", "--set", "beam_size=3", "--set", "beam_size=4"],
            "is given twice",
        ),
        # Names of what the settings go through on their way.
        (["--decoder", "beam", "--set", "charset=x"], "'beam' has no setting ['charset']"),
        (["--decoder", "beam", "--set", "name=x"], "'beam' has no setting ['name']"),
        (["--decoder", "beam", "--set", "path=x"], "'beam' has no setting ['path']"),
        (["--decoder", "beam", "--set", "decoder=greedy"], "'beam' has no setting ['decoder']"),
        (["--decoder", "beam", "--set", "threads=2"], "'beam' has no setting ['threads']"),
        (["--decoder", "beam", "--set", f"pattern=a{{{'9' * 5000}}}"], "expected {2}, {2,} or"),
        (["--decoder", "beam", "--set", "pattern=(a"], "missing )"),
        (["--decoder", "lexicon"], "needs ['words']"),
        (["--decoder", "lexicon", "--set", "words=none.txt"], "cannot read the lexicon none.txt"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    tiny_model: Path,
    picture: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    told: str,
) -> None:
    code, out, err = run(capsys, "read", "--model", tiny_model, picture, *options)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert told in err


def test_bench_names_the_picture_that_is_too_wide(
    tiny_model: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (9000, 40)).save(picture.with_name("wide.png"))
    wide = picture.with_name("wide.png")
    asked = "bench", tiny_model, "--runs", 1, "--images"
    for labels in ("", "word.png\ta\nwide.png\tb\n"):
        if labels:
            (picture.parent / "labels.tsv").write_text(labels)
        code, out, err = run(capsys, *asked, picture.parent)
        assert (code, out) == (1, "")
        assert err.startswith(f"error: {wide}: an image of 9000×40 px")
    assert "no such image or folder: ''" in run(capsys, *asked, "")[2]


def test_bench_times_any_decoder(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(
        capsys,
        "bench",
        tiny_model,
        "--runs",
        2,
        "--decoder",
        "beam",
        "--set",
        "beam_size=2",
        "--json",
    )
    assert code == 0
    assert np.isfinite(json.loads(out)["models"][0]["stages"]["decode"]["p50_ms"])


def test_a_setting_of_another_decoder_is_told_as_such(tiny_model: Path) -> None:
    told = r"'greedy' has no setting \['pattern'\] \(beam and lm and prefix_search would\)"
    with pytest.raises(DecodeError, match=told):
        Recognizer.load(tiny_model, decoder_settings={"pattern": "a"})


def test_a_decoder_of_ones_own_may_take_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of_my_own").mkdir()
    (tmp_path / "of_my_own" / "any.py").write_text(
        "class Decoder:\n    def __init__(self, charset, **more):\n        self.more = more\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert make_decoder("of_my_own.any", CHARSET, a=1).more == {"a": 1}
    assert make_decoder("of_my_own.any", CHARSET).more == {}


def test_a_setting_may_have_the_name_of_an_argument() -> None:
    with pytest.raises(DecodeError, match=r"'beam' has no setting \['charset', 'name'\]"):
        make_decoder("beam", CHARSET, name=3, charset=CHARSET)


def test_a_search_without_end_can_be_asked_for() -> None:
    assert parse_settings("prefix_search", ["max_expansions=inf"]) == {"max_expansions": math.inf}
