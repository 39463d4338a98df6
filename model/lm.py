"""Makes language models of n-grams for `--decoder lm`: `python -m model.lm --help`.

Probabilities are interpolated with those after one token less, by how many kinds of tokens were
seen after these (I. H. Witten, T. C. Bell: *The zero-frequency problem*, 1991). N-grams that would
hardly be missed are dropped: those with nearly the probability that one token less gives, by how
often they were seen (K. Seymore, R. Rosenfeld: *Scalable backoff language models*, 1996).
"""

from __future__ import annotations

import argparse
import math
import string
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from crnn_edge.charset import Charset
from crnn_edge.cli.run import run_command
from crnn_edge.decoders.ngrams import MAX_TOKENS, NAT, NGrams, Trie
from crnn_edge.errors import CharsetError, CrnnError
from model.data.datasets import open_dataset
from model.data.text.machine_text import machine_text
from model.data.text.text_source import TextSource, read_words
from model.training.arguments import argument_type
from model.training.charset import parse_charset
from model.training.sources import parse_weighted

EXAMPLES = """
examples:
  of what your labels say:
    python -m model.lm --texts meters/train --out meter.lm
    python -m crnn_edge read --decoder lm --set lm=meter.lm meters/new
  of a list of texts, one a line:
    python -m model.lm --texts names.txt --out names.lm
  of the texts that are rendered for training, and labels 400 times over:
    python -m model.lm --synth 2000000 --words words.txt --texts crops/train=400 --order 6 \\
        --prune-threshold 25 --out english.lm
"""


def symbols(charset: Charset, fold_digits: bool = False) -> tuple[list[str], list[int]]:
    """The tokens of the n-grams, and for each token of a charset the number of its own.

    Args:
        charset: What texts are spelt in.
        fold_digits: Whether all digits are one token, the first of them.
    """
    digits = [token for token in charset.tokens if token in string.digits] if fold_digits else []
    kept = [token for token in charset.tokens if token not in digits[1:]]
    number = {token: k for k, token in enumerate(kept)}
    number |= {token: number[digits[0]] for token in digits}
    return kept, [number[token] for token in charset.tokens]


def count(
    texts: Mapping[str, float], charset: Charset, order: int, fold_digits: bool = False
) -> list[Counter[str]]:
    """How often each n-gram of 1 to `order` tokens was seen, a counter a length.

    An n-gram is a string of the characters whose code points are numbers of tokens; the number
    after them stands for the beginning of a text, the next for its end.
    """
    kept, number = symbols(charset, fold_digits)
    size = len(kept)
    counts: list[Counter[str]] = [Counter() for _ in range(order)]
    for text, times in texts.items():
        classes = [number[k - 1] for k in charset.encode(text)]
        line = "".join(map(chr, (size, *classes, size + 1)))
        for stop in range(2, len(line) + 1):
            for length in range(1, min(stop, order) + 1):
                counts[length - 1][line[stop - length : stop]] += times  # type: ignore[assignment]
    for k in range(size + 2):
        counts[0].setdefault(chr(k), 0)
    return counts


def probabilities(
    counts: Sequence[Counter[str]],
) -> tuple[list[dict[str, float]], dict[str, float]]:
    """The probability of each n-gram's last token after the others, and what each context leaves.

    What is left is the share that tokens get which were never seen there.
    """
    probs: list[dict[str, float]] = []
    left = {}
    for level, grams in enumerate(counts):
        total: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        for gram, times in grams.items():
            total[gram[:-1]] += times
            kinds[gram[:-1]] += 1
        for context in total:
            left[context] = kinds[context] / (total[context] + kinds[context])
        probs.append({})
        for gram, times in grams.items():
            lower = probs[level - 1][gram[1:]] if level else 1 / len(counts[0])
            context = gram[:-1]
            seen = times / (total[context] + kinds[context])
            probs[level][gram] = seen + left[context] * lower
    return probs, left


def prune(
    counts: Sequence[Counter[str]],
    probs: Sequence[Mapping[str, float]],
    left: Mapping[str, float],
    prune_threshold: float,
) -> list[set[str]]:
    """The n-grams that are worth keeping, with all that these begin with and end in.

    Args:
        counts: How often each was seen.
        probs: Its probability.
        left: What each context leaves to tokens never seen there.
        prune_threshold: In nats: what all that was seen of an n-gram must be worth.
    """
    kept: list[set[str]] = [set() for _ in counts]
    for level in range(len(counts) - 1, -1, -1):
        if level + 1 < len(counts):
            kept[level] = {part for gram in kept[level + 1] for part in (gram[:-1], gram[1:])}
        for gram, times in counts[level].items():
            if level == 0:
                kept[level].add(gram)
            elif gram not in kept[level]:
                lower = left[gram[:-1]] * probs[level - 1][gram[1:]]
                if times * abs(math.log(probs[level][gram] / lower)) >= prune_threshold:
                    kept[level].add(gram)
    return kept


def build(
    texts: Mapping[str, float],
    charset: Charset,
    order: int = 5,
    prune_threshold: float = 0.0,
    fold_digits: bool = False,
) -> NGrams:
    """The language model of some texts.

    Args:
        texts: Texts, and how often each was seen.
        charset: What they are spelt in.
        order: Tokens of the longest n-gram.
        prune_threshold: What an n-gram must be worth, in nats; 0 keeps all. If any may go,
            probabilities are rounded to quarters of a nat, too, not to sixteenths.

        fold_digits: Whether all digits share their n-grams.

    Raises:
        CharsetError: If a text cannot be spelt, or there are too many tokens.
    """
    if len(charset.tokens) > MAX_TOKENS:
        raise CharsetError(
            f"a language model takes at most {MAX_TOKENS} tokens, got {len(charset.tokens)}"
        )
    counts = count(texts, charset, order, fold_digits)
    probs, left = probabilities(counts)
    kept = prune(counts, probs, left, prune_threshold)
    # A context of which n-grams were dropped gives their share to what was never seen there.
    told: dict[str, list[float]] = {}
    for level, some in enumerate(kept):
        for gram in some:
            lower = probs[level - 1][gram[1:]] if level else 1 / len(counts[0])
            sums = told.setdefault(gram[:-1], [0.0, 0.0])
            sums[0] += probs[level][gram]
            sums[1] += lower
    levels = [sorted(grams) for grams in kept]
    grams = [gram for level in levels for gram in level]
    inner = ["", *(gram for level in levels[:-1] for gram in level)]
    following = Counter(gram[:-1] for gram in grams)
    backoff = {
        context: math.log(max(1 - here, 1e-9) / max(1 - lower, 1e-9))
        for context, (here, lower) in told.items()
    }
    costs = [-math.log(probs[len(gram) - 1][gram]) for gram in grams]
    # Quarters of a nat read as well, in a file a fifth smaller.
    coarse = 4 if prune_threshold else 1
    trie = Trie(
        token=np.array([ord(gram[-1]) for gram in grams], dtype=np.uint8),
        cost=_rounded(costs, 255, coarse).astype(np.uint8),
        children=np.array([following[gram] for gram in inner], dtype=np.uint8),
        backoff=_rounded([backoff.get(gram, 0.0) for gram in inner], 127, coarse).astype(np.int8),
    )
    kept_tokens, _ = symbols(charset, fold_digits)
    digits = [token for token in charset.tokens if token in string.digits] if fold_digits else []
    return NGrams(kept_tokens, trie, digits)


def _rounded(nats: Sequence[float], most: int, coarse: int) -> npt.NDArray[np.float64]:
    """Nats in 1/16 nat, as multiples of `coarse` of these up to `most`."""
    rounded: npt.NDArray[np.float64] = np.rint(np.multiply(nats, NAT / coarse)) * coarse
    return rounded.clip(-most // coarse * coarse, most // coarse * coarse)


def build_parser() -> argparse.ArgumentParser:
    """The parser, whose help teaches."""
    parser = argparse.ArgumentParser(
        prog="python -m model.lm",
        description="Make a language model for `--decoder lm`: how probable a character is after "
        "those before it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="FILE", help="the language model")
    add(
        "--texts",
        action="append",
        default=[],
        type=argument_type(parse_weighted),
        metavar="PATH[=TIMES]",
        help="labelled crops, or a file with one text a line; each text counts so many times; "
        "repeatable",
    )
    add("--synth", type=int, default=0, metavar="COUNT", help="as many texts as are rendered")
    add(
        "--machine-texts",
        type=int,
        default=0,
        metavar="COUNT",
        help="as many texts as machines print: measurements, codes, dates, times",
    )
    add(
        "--fold-digits",
        action="store_true",
        help="let all digits share their n-grams, so that no number is likelier than another; not "
        "for texts whose digits depend on each other",
    )
    add("--words", type=Path, metavar="FILE", help="word list of these (default: the system's)")
    add("--charset", metavar="CHARS|@FILE", help="as of `model.train` (default: printable ASCII)")
    add("--order", type=int, default=5, metavar="N", help="(default: %(default)s)")
    add(
        "--prune-threshold",
        type=float,
        default=0.0,
        metavar="NATS",
        help="for a smaller file keep n-grams that are worth so much, of all that was seen: 10 of "
        "hundreds of thousands of texts, 25 of millions (default: 0, which keeps all)",
    )
    add("--eval", type=Path, metavar="PATH", help="tell the nats a character of these labels")
    add("--seed", type=int, default=0, help="of --synth (default: %(default)s)")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Entry point of `python -m model.lm`."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if not args.texts and not args.synth and not args.machine_texts:
        parser.error("nothing to learn from: give --texts, --synth COUNT or --machine-texts COUNT")
    if args.words and not args.synth:
        parser.error("--words are of --synth COUNT")
    if (
        not 1 <= args.order <= 8
        or min(args.synth, args.machine_texts) < 0
        or not 0 <= args.prune_threshold < math.inf
    ):
        parser.error("expected --order 1 to 8, and counts and --prune-threshold 0 or more")
    sources = [args.words, args.eval, *(path for path, _ in args.texts)]
    if args.out.resolve() in [source.resolve() for source in sources if source]:
        parser.error(f"--out {args.out} is one of the sources itself, which would be lost")
    return run_command(lambda: _make(args))


def _make(args: argparse.Namespace) -> None:
    charset = Charset.ascii() if args.charset is None else parse_charset(args.charset)
    texts: Counter[str] = Counter()
    rng = np.random.default_rng(args.seed)
    if args.synth:
        source = TextSource(read_words(args.words) if args.words else None, charset)
        bar = tqdm(range(args.synth), unit="text", disable=None)
        texts.update(source.sample(rng) for _ in bar)
    if args.machine_texts:
        bar = tqdm(range(args.machine_texts), unit="text", disable=None)
        texts.update(text for text in (machine_text(rng) for _ in bar) if text in charset)
    for path, times in args.texts:
        for text in _texts(path, charset) if times else ():
            texts[text] += times
    if not sum(texts.values()):
        raise CrnnError("nothing to learn from: each text counts 0 times")
    model = build(texts, charset, args.order, args.prune_threshold, args.fold_digits)
    model.save(args.out)
    told = f"{args.out}: {len(model.trie.token):,} n-grams of up to {args.order} tokens, "
    print(f"{told}{args.out.stat().st_size:,} bytes")
    if args.eval:
        spelt = [charset.split(text) for text in _texts(args.eval, charset)]
        nats = -sum(map(model.log_prob, spelt)) / sum(len(text) + 1 for text in spelt)
        print(f"{args.eval}: {nats:.3f} nats a character, of {len(spelt):,} texts")


def _texts(path: Path, charset: Charset) -> list[str]:
    """The texts of labelled crops or of a file that the charset can spell.

    Raises:
        CrnnError: If there are none.
    """
    found = read_words(path) if path.is_file() else open_dataset(path).texts
    texts = [text for text in found if text and text in charset]
    if len(texts) < len(found):
        told = f"{path}: {len(found) - len(texts)} of {len(found)} texts cannot be spelt"
        print(f"{told} and are left out", file=sys.stderr)
    if not texts:
        raise CrnnError(f"no text of {path} can be spelt in the charset")
    return texts


if __name__ == "__main__":
    sys.exit(main())
