"""What the rendered pictures say: mostly words, and everything else that signs and labels carry.

Every printable character must come up often enough to be learnt, so rare punctuation gets a
share of its own instead of waiting for a word list to contain it.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from crnn_edge.charset import Charset
from crnn_edge.errors import CharsetError, CrnnError
from model.data.text import lines
from model.data.text import text_patterns as notation
from model.data.text.text_patterns import below, cased, pick

SYSTEM_WORDS = (Path("/usr/share/dict/american-english"), Path("/usr/share/dict/words"))
"""Word lists that Debian's `wamerican` and other systems install; SCOWL's, free to use."""

MAX_LENGTH = lines.LONGEST  # characters of one text

_ONSETS = "b c d f g h j k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr pl pr qu sc sh sk sl "
_ONSETS += "sm sn sp st str sw th tr tw wh y x"
_VOWELS = "a e i o u a e i o ai ea ee ie io oa oo ou au y"
_CODAS = "b ck d f g l m n p r s t x ll lt mp nd ng nk nt rd rk rn rt ss st sh th ct z"
_PARTS = tuple(tuple(part.split()) for part in (_ONSETS, _VOWELS, _CODAS))
_TLDS = ".com .com .com .org .net .co.uk .de .sg .in .edu .info .io"
_AROUND = (
    "()",
    "[]",
    "{}",
    '""',
    "''",
    "<>",
    "**",
    "--",
    "~~",
    "__",
    "||",
    "`'",
    "@ ",
    "# ",
    " :",
    "& ",
)
_AFTER = ".,.,.,!?:;-&)\"'/*+"
_RARE = "#$%&*+/<=>@[\\]^_`{|}~\"'();:!?,-."


@dataclass(frozen=True)
class Shares:
    """How often each kind of text is drawn, against the others; 0 for never.

    Attributes:
        word: A word of the dictionary.
        marked_word: One with punctuation.
        several_words: Two or three, that need not go together.
        pseudo_word: Nonsense that can be pronounced.
        number: A count, a decimal, an ordinal.
        price: A sum of money, a percentage.
        date_or_time: A date, a time, a month's name.
        phone: A telephone number.
        code: A serial number, a plate, a room.
        address: A piece of a web or e-mail address.
        measure: A number with a unit.
        abbreviation: One that signs are fond of.
        random: Any characters at all.
        initials: One to four letters.
        line: A line of English, a headline, a notice: two to ten words.
        form: A line of a form, with numbers and names.
        spaced: Single signs with spaces between.
        stamp: What machines write: dates with times, signed decimals, numbers with zeros before.
    """

    word: float = 50.0
    marked_word: float = 9.0
    several_words: float = 4.0
    pseudo_word: float = 3.0
    number: float = 9.0
    price: float = 2.5
    date_or_time: float = 2.0
    phone: float = 1.5
    code: float = 10.0
    address: float = 2.0
    measure: float = 2.0
    abbreviation: float = 1.5
    random: float = 6.0
    initials: float = 3.0
    line: float = 16.0
    form: float = 7.0
    spaced: float = 2.5
    stamp: float = 4.0


class TextSource:
    """An endless source of texts of a charset."""

    def __init__(
        self, words: Sequence[str] | None, charset: Charset, shares: Shares | None = None
    ) -> None:
        """Choose what to write.

        Args:
            words: The dictionary; None takes the system's word list, or pronounceable nonsense
                where there is none.
            charset: Nothing outside it is ever given.
            shares: How often each kind of text comes; None for what scenes and documents show.

        Raises:
            CharsetError: If the charset has longer symbols than characters, or only a space.
        """
        if charset.separator:
            raise CharsetError("text is rendered from characters; this charset has longer symbols")
        self._allowed = frozenset(charset.tokens)
        listed = system_words() if words is None else words
        if not any(c.islower() for word in listed for c in word):
            listed = [word.lower() for word in listed]  # capitals alone say nothing about case
        # Possessives are a third of SCOWL's list; `_marked_word` makes as many as signs have.
        self.words = tuple(
            word
            for word in listed
            if 0 < len(word) <= MAX_LENGTH
            and not word.endswith("'s")
            and any(self.allows(form) for form in (word, word.upper(), word.lower()))
        )
        self._letters = "".join(c for c in string.ascii_letters if c in self._allowed)
        self._all = "".join(t for t in charset.tokens if t != " ")
        if not self._all:
            raise CharsetError("the charset has nothing to write but a space")
        self._kinds: tuple[Callable[[np.random.Generator], str], ...] = (
            self._word,
            self._marked_word,
            self._several_words,
            _pseudo_word,
            notation.number,
            notation.price,
            notation.date_or_time,
            notation.phone,
            notation.code,
            self._address,
            notation.measure,
            notation.abbreviation,
            self._random,
            self._initials,
            self._line,
            self._form,
            lines.spaced,
            lines.stamp,
        )  # in the order of `Shares`
        edges = np.cumsum(astuple(shares or Shares()))
        self._edges = edges / edges[-1]

    def allows(self, text: str) -> bool:
        """Whether the charset can spell a text."""
        return self._allowed.issuperset(text)

    def sample(self, rng: np.random.Generator) -> str:
        """One text of 1 to `MAX_LENGTH` characters, without spaces at its ends."""
        for _ in range(8):
            text = self._kinds[int(np.searchsorted(self._edges, rng.random()))](rng)
            text = text[:MAX_LENGTH].strip()
            for form in (text, text.upper(), text.lower()):
                if form and self.allows(form):
                    return form
        return "".join(pick(rng, self._all) for _ in range(1 + below(rng, 8)))

    def _plain(self, rng: np.random.Generator) -> str:
        """A word as the dictionary has it, or nonsense when there is none.

        The shortest of a few, often: dictionaries are full of long words, signs are not.
        """
        if not self.words:
            return _pseudo_word(rng)
        tries = 1 + below(rng, 4)
        return min((pick(rng, self.words) for _ in range(tries)), key=len)

    def _word(self, rng: np.random.Generator) -> str:
        return cased(rng, self._plain(rng))

    def _marked_word(self, rng: np.random.Generator) -> str:
        """A word with punctuation before, after, around or inside it."""
        word, kind = self._word(rng), rng.random()
        if kind < 0.5:
            return word + pick(rng, _AFTER)
        if kind < 0.65:
            around = pick(rng, _AROUND)
            return around[0] + word + around[1]
        if kind < 0.8:
            return word + pick(rng, ("'s", "'S", "'", "n't", "'ll", "s'", "&", "...", "!!"))
        if kind < 0.87:
            return word + pick(rng, "---/&+._") + self._word(rng)[:10]
        at = 1 + below(rng, len(word))
        return word[:at] + pick(rng, _RARE) + word[at:]

    def _several_words(self, rng: np.random.Generator) -> str:
        style = rng.random()
        count = 2 if rng.random() < 0.75 else 3
        words = [min(self._plain(rng), self._plain(rng), key=len) for _ in range(count)]
        text = (" & " if style > 0.9 else " ").join(words)
        return text.upper() if style < 0.4 else text.title() if style < 0.75 else text

    def _line(self, rng: np.random.Generator) -> str:
        return lines.line(rng, self._plain)

    def _form(self, rng: np.random.Generator) -> str:
        return lines.form(rng, self._plain)

    def _address(self, rng: np.random.Generator) -> str:
        """A piece of a web or e-mail address."""
        word = self._plain(rng).lower().replace("'", "")[:14]
        kind = rng.random()
        if kind < 0.5:
            text = ("www." if rng.random() < 0.5 else "") + word + pick(rng, _TLDS.split())
        elif kind < 0.75:
            text = word[:9] + "@" + self._plain(rng).lower()[:8] + pick(rng, _TLDS.split())
        elif kind < 0.9:
            text = pick(rng, ("@", "#", "/", "~", "http://", "https://")) + word
        else:
            text = word + pick(rng, "_-=?&%") + self._plain(rng)[:8]
        return text.upper() if rng.random() < 0.2 else text

    def _random(self, rng: np.random.Generator) -> str:
        """Any characters of the charset, so that each is seen in any company."""
        length = 1 + below(rng, 9)
        if rng.random() < 0.6:
            return "".join(pick(rng, self._all) for _ in range(length))
        word = list(self._plain(rng)[:length])
        for at in range(len(word)):
            if rng.random() < 0.35:
                word[at] = pick(rng, self._all)
        return "".join(word)

    def _initials(self, rng: np.random.Generator) -> str:
        """One to four letters."""
        letters = self._letters or self._all
        text = "".join(pick(rng, letters) for _ in range(1 + below(rng, 4)))
        return text if rng.random() < 0.25 else text.upper()


def system_words() -> list[str]:
    """The words of the system's list; empty where none is installed."""
    for path in SYSTEM_WORDS:
        if path.exists():
            return read_words(path)
    return []


def read_words(path: Path) -> list[str]:
    """The words of a file, one a line.

    Raises:
        CrnnError: If it cannot be read, is no UTF-8, or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise CrnnError(f"cannot read the word list {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CrnnError(
            f"the word list {path} is no UTF-8 text ({error.reason} at byte {error.start}): "
            "expected one word a line; `iconv -t UTF-8` converts other encodings"
        ) from None
    words = [line.strip() for line in lines if line.strip()]
    if not words:
        raise CrnnError(f"no word in {path}: expected one word a line")
    return words


def _pseudo_word(rng: np.random.Generator) -> str:
    word = ""
    for _ in range(1 + below(rng, 3)):
        word += "".join(pick(rng, part) for part in _PARTS[:2])
        if rng.random() < 0.5:
            word += pick(rng, _PARTS[2])
    return cased(rng, word)
