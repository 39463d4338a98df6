"""What the rendered pictures say: mostly words, and everything else that signs and labels carry.

Every printable character must come up often enough to be learnt, so rare punctuation gets a
share of its own instead of waiting for a word list to contain it.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from runtime.charset import Charset
from runtime.errors import CharsetError, CrnnError

SYSTEM_WORDS = (Path("/usr/share/dict/american-english"), Path("/usr/share/dict/words"))
"""Word lists that Debian's `wamerican` and other systems install; SCOWL's, free to use."""

_T = TypeVar("_T")

MAX_LENGTH = 26  # characters of one text

_ONSETS = "b c d f g h j k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr pl pr qu sc sh sk sl "
_ONSETS += "sm sn sp st str sw th tr tw wh y x"
_VOWELS = "a e i o u a e i o ai ea ee ie io oa oo ou au y"
_CODAS = "b ck d f g l m n p r s t x ll lt mp nd ng nk nt rd rk rn rt ss st sh th ct z"
_PARTS = tuple(tuple(part.split()) for part in (_ONSETS, _VOWELS, _CODAS))
_UNITS = "kg g mg ml l L cm mm km m mph km/h GB MB W kW V mAh oz lb lbs ft in % x px Hz min hrs am"
_SHORT = "St. Ave. Dr. No. Mr. Mrs. Co. Ltd. Inc. U.S.A. U.K. P.O. etc. e.g. A/C w/o c/o TV DVD PC "
_SHORT += "ATM USB Wi-Fi 24/7 24H B&B R&B Q&A AT&T H&M M&S DIY VIP FAQ BBQ CCTV LED NYC L.A. D.C. PhD"
_TLDS = ".com .com .com .org .net .co.uk .de .sg .in .edu .info .io"
_DAYS = "Mon Tue Wed Thu Fri Sat Sun Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec January March April June July August"
_AROUND = ("()", "[]", "{}", '""', "''", "<>", "**", "--", "~~", "__", "||", "@ ", "# ", " :", "& ")
_AFTER = ".,.,.,!?:;-&)\"'/*+"
_RARE = "#$%&*+/<=>@[\\]^_`{|}~\"'();:!?,-."


class TextSource:
    """An endless source of texts of a charset.

    Args:
        words: The dictionary; None takes the system's word list, or pronounceable nonsense where
            there is none.
        charset: Nothing outside it is ever given.

    Raises:
        CharsetError: If the charset has multi-character tokens, or too few characters to write.
    """

    def __init__(self, words: Sequence[str] | None, charset: Charset) -> None:
        if charset.separator:
            raise CharsetError("text is rendered from characters; this charset has longer symbols")
        self.words = tuple(word.strip() for word in (system_words() if words is None else words))
        # Possessives are a third of SCOWL's list; `_marked_word` makes as many as signs have.
        self.words = tuple(
            word for word in self.words if 0 < len(word) <= MAX_LENGTH and not word.endswith("'s")
        )
        self._allowed = frozenset(charset.tokens)
        self._letters = "".join(c for c in string.ascii_letters if c in self._allowed)
        self._all = "".join(t for t in charset.tokens if t != " ")
        if not self._all:
            raise CharsetError("the charset has nothing to write but a space")
        kinds: list[tuple[float, Callable[[np.random.Generator], str]]] = [
            (58.0, self._word),
            (6.0, self._marked_word),
            (3.5, self._several_words),
            (3.0, _pseudo_word),
            (7.0, _number),
            (2.5, _price),
            (2.0, _date_or_time),
            (1.5, _phone),
            (4.5, _code),
            (2.0, self._address),
            (2.0, _measure),
            (1.5, _abbreviation),
            (3.5, self._random),
            (3.0, self._initials),
        ]
        self._kinds = tuple(kind for _, kind in kinds)
        self._edges = np.cumsum([share for share, _ in kinds]) / sum(share for share, _ in kinds)

    def sample(self, rng: np.random.Generator) -> str:
        """One text of 1 to 26 characters, without spaces at its ends."""
        for _ in range(8):
            text = self._kinds[int(np.searchsorted(self._edges, rng.random()))](rng)
            text = text[:MAX_LENGTH].strip()
            if text and self._allowed.issuperset(text):
                return text
        return "".join(_pick(rng, self._all) for _ in range(1 + _below(rng, 8)))

    def _plain(self, rng: np.random.Generator) -> str:
        """A word as the dictionary has it, or nonsense when there is none.

        The shortest of a few, often: dictionaries are full of long words, signs are not.
        """
        if not self.words:
            return _pseudo_word(rng)
        chance = rng.random()
        tries = 1 if chance < 0.25 else 2 if chance < 0.6 else 3
        return min((_pick(rng, self.words) for _ in range(tries)), key=len)

    def _word(self, rng: np.random.Generator) -> str:
        return _cased(rng, self._plain(rng))

    def _marked_word(self, rng: np.random.Generator) -> str:
        """A word with punctuation before, after, around or inside it."""
        word, kind = self._word(rng), rng.random()
        if kind < 0.5:
            return word + _pick(rng, _AFTER)
        if kind < 0.65:
            around = _pick(rng, _AROUND)
            return around[0] + word + around[1]
        if kind < 0.8:
            return word + _pick(rng, ("'s", "'S", "'", "n't", "'ll", "s'", "&", "...", "!!"))
        if kind < 0.87:
            return word + _pick(rng, "---/&+._") + self._word(rng)[:10]
        at = 1 + _below(rng, len(word))
        return word[:at] + _pick(rng, _RARE) + word[at:]

    def _several_words(self, rng: np.random.Generator) -> str:
        style = rng.random()
        count = 2 if rng.random() < 0.75 else 3
        words = [min(self._plain(rng), self._plain(rng), key=len) for _ in range(count)]
        text = (" & " if style > 0.9 else " ").join(words)
        return text.upper() if style < 0.4 else text.title() if style < 0.75 else text

    def _address(self, rng: np.random.Generator) -> str:
        """A piece of a web or e-mail address."""
        word = self._plain(rng).lower().replace("'", "")[:14]
        kind = rng.random()
        if kind < 0.5:
            text = ("www." if rng.random() < 0.5 else "") + word + _pick(rng, _TLDS.split())
        elif kind < 0.75:
            text = word[:9] + "@" + self._plain(rng).lower()[:8] + _pick(rng, _TLDS.split())
        elif kind < 0.9:
            text = _pick(rng, ("@", "#", "/", "~", "http://", "https://")) + word
        else:
            text = word + _pick(rng, "_-=?&%") + self._plain(rng)[:8]
        return text.upper() if rng.random() < 0.2 else text

    def _random(self, rng: np.random.Generator) -> str:
        """Any characters of the charset, so that each is seen in any company."""
        length = 1 + _below(rng, 9)
        if rng.random() < 0.6:
            return "".join(_pick(rng, self._all) for _ in range(length))
        word = list(self._plain(rng)[:length])
        for at in range(len(word)):
            if rng.random() < 0.35:
                word[at] = _pick(rng, self._all)
        return "".join(word)

    def _initials(self, rng: np.random.Generator) -> str:
        """One to four letters."""
        letters = self._letters or self._all
        text = "".join(_pick(rng, letters) for _ in range(1 + _below(rng, 4)))
        return text if rng.random() < 0.25 else text.upper()


def system_words() -> list[str]:
    """The words of the system's list, ASCII only; empty where none is installed."""
    for path in SYSTEM_WORDS:
        if path.exists():
            return read_words(path)
    return []


def read_words(path: Path) -> list[str]:
    """The ASCII words of a file, one a line.

    Raises:
        CrnnError: If it cannot be read, or holds no such word.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise CrnnError(f"cannot read the word list {path}: {error.strerror}") from None
    words = [line.strip() for line in lines if line.strip() and line.isascii()]
    if not words:
        raise CrnnError(f"no word in {path}: expected one ASCII word a line")
    return words


def _below(rng: np.random.Generator, stop: int) -> int:
    return int(rng.random() * stop)  # several times cheaper than rng.integers


def _pick(rng: np.random.Generator, options: Sequence[_T]) -> _T:
    return options[int(rng.random() * len(options))]


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(_pick(rng, string.digits) for _ in range(count))


def _cased(rng: np.random.Generator, word: str) -> str:
    """Signs shout: about half of the words in scenes are capitals."""
    style = rng.random()
    if style < 0.44:
        return word.upper()
    if style < 0.72:
        return word[:1].upper() + word[1:]
    if style < 0.98:
        return word.lower()
    return "".join(c.upper() if rng.random() < 0.5 else c.lower() for c in word)


def _pseudo_word(rng: np.random.Generator) -> str:
    word = ""
    for _ in range(1 + _below(rng, 3)):
        word += "".join(_pick(rng, part) for part in _PARTS[:2])
        if rng.random() < 0.5:
            word += _pick(rng, _PARTS[2])
    return _cased(rng, word)


def _number(rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.55:
        return _digits(rng, 1 + _below(rng, 6))
    if kind < 0.65:
        return f"{int(10 ** (3 + 4 * rng.random())):,}"
    if kind < 0.8:
        return f"{_digits(rng, 1 + _below(rng, 3))}.{_digits(rng, 1 + _below(rng, 2))}"
    if kind < 0.9:
        return _pick(rng, "#-+(~x<>=*") + _digits(rng, 1 + _below(rng, 4))
    ends = ("st", "nd", "rd", "th", "%", "+", ")", "/")
    return _digits(rng, 1 + _below(rng, 3)) + _pick(rng, ends)


def _price(rng: np.random.Generator) -> str:
    amount = str(int(10 ** (3 * rng.random())))
    cents = rng.random()
    if cents < 0.6:
        amount += "." + ("99" if cents < 0.15 else "00" if cents < 0.25 else _digits(rng, 2))
    kind = rng.random()
    if kind < 0.65:
        return "$" + amount
    if kind < 0.85:
        return amount + _pick(rng, ("%", "c", "p", "/-", " USD", "EUR", "$", "% OFF"))
    return _pick(rng, ("Rs.", "S$", "US$", "EUR ", "A$", "RM")) + amount


def _date_or_time(rng: np.random.Generator) -> str:
    day, month, year = 1 + _below(rng, 31), 1 + _below(rng, 12), 1900 + _below(rng, 140)
    hour, minute = _below(rng, 24), _below(rng, 60)
    kind = rng.random()
    if kind < 0.3:
        return f"{hour}:{minute:02d}" + _pick(rng, ("", "", "am", "PM", " pm", f":{day:02d}"))
    if kind < 0.4:
        return f"{hour % 12 + 1}{_pick(rng, ('am', 'pm', 'AM', 'PM', 'a.m.', 'h'))}"
    if kind < 0.65:
        mark = _pick(rng, "/-.")
        return f"{day:02d}{mark}{month:02d}{mark}{_pick(rng, (year, f'{year % 100:02d}'))}"
    if kind < 0.75:
        return str(year)
    if kind < 0.9:
        return _cased(rng, _pick(rng, (_DAYS + " " + _MONTHS).split()))
    return f"{_pick(rng, _MONTHS.split())} {day}"


def _phone(rng: np.random.Generator) -> str:
    form = ("#-###-####", "(###) ###-####", "###-####", "+## ### ####", "####-####", "#### ####")
    form += ("##########", "+##########", "###.###.####", "0###/######", "##-########")
    return "".join(_pick(rng, string.digits) if c == "#" else c for c in _pick(rng, form))


def _code(rng: np.random.Generator) -> str:
    """A serial number, a plate, a room, a bus line, a hexadecimal string."""
    form = ("A#", "#A", "A##", "##A", "AA###", "AA##AAA", "A#-####", "AAA-####", "#AAA###")
    form += ("AAAA-####-A", "##-##-#", "#/#", "##/##", "#-##", "AA-##", "A/##", "A#_#", "A#A #A#")
    form += ("XX:XX:XX", "#A#A#A", "AAAAA####", "A.#.#", "v#.#.#", "#x#", "[##]", "{A}", "<A#>")
    form += ("A=#", "XXXXXXXX", "0xXXXX", "A#|A#", "#^#", "A\\A", "~#A")
    letters = string.ascii_uppercase if rng.random() < 0.85 else string.ascii_lowercase
    sets = {"#": string.digits, "A": letters, "X": "0123456789ABCDEF"}
    return "".join(_pick(rng, sets[c]) if c in sets else c for c in _pick(rng, form))


def _measure(rng: np.random.Generator) -> str:
    value = str(int(10 ** (3 * rng.random())))
    if rng.random() < 0.25:
        value += "." + _digits(rng, 1)
    return value + (" " if rng.random() < 0.1 else "") + _pick(rng, _UNITS.split())


def _abbreviation(rng: np.random.Generator) -> str:
    text = _pick(rng, _SHORT.split())
    return text.upper() if rng.random() < 0.3 else text
