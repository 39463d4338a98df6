from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_edge.charset import BLANK, Charset
from crnn_edge.errors import CharsetError, CrnnError

CHARACTERS = Charset(tuple("abc é日"))
SYMBOLS = Charset(("C4_quarter", "clef-G2", "|"), separator=" ")


@given(st.text(alphabet="abc é日"))
def test_decode_undoes_encode(text: str) -> None:
    assert CHARACTERS.decode(CHARACTERS.encode(text)) == text


@given(st.lists(st.sampled_from(SYMBOLS.tokens)))
def test_decode_undoes_encode_of_symbols(tokens: list[str]) -> None:
    classes = SYMBOLS.encode(SYMBOLS.join(tokens))
    assert [SYMBOLS.token(k) for k in classes] == tokens


def test_class_zero_is_the_blank_and_token_k_is_class_k_plus_one() -> None:
    assert BLANK == 0
    assert CHARACTERS.encode("ab") == [1, 2]
    assert CHARACTERS.num_classes == 7


def test_the_shipped_charset_has_every_printable_ascii_character_once() -> None:
    charset = Charset.ascii()
    assert sorted(charset.tokens) == [chr(c) for c in range(0x20, 0x7F)]


@pytest.mark.parametrize(
    ("tokens", "separator", "message"),
    [
        ((), "", "at least one token"),
        (("a", ""), "", "no token may be empty"),
        (("a", "b", "a"), "", "more than once: ['a']"),
        (("a", "bc"), "", "need a separator: ['bc']"),
        (("a b", "c"), " ", "contain the separator ' ': ['a b']"),
    ],
)
def test_ambiguous_tokens_are_refused(tokens: tuple, separator: str, message: str) -> None:
    with pytest.raises(CharsetError) as caught:
        Charset(tokens, separator)
    assert message in str(caught.value)


def test_a_text_that_cannot_be_spelled_is_refused_by_name() -> None:
    with pytest.raises(CharsetError, match=r"cannot encode 'aß!': \['!', 'ß'\]"):
        CHARACTERS.encode("aß!")
    assert "aß!" not in CHARACTERS
    assert "ab" in CHARACTERS


@pytest.mark.parametrize("class_id", [BLANK, -1, 7])
def test_a_class_that_is_no_token_has_no_spelling(class_id: int) -> None:
    with pytest.raises(CrnnError, match=f"class {class_id} is not a token: expected 1 to 6"):
        CHARACTERS.decode([1, class_id])
