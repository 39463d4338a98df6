"""Index a word list for the lexicon decoder, so that it loads in a millisecond.

The list has one word per line. An index is for models with the charset of --model.

Examples:
  python -m crnn_edge index-lexicon names.txt --out names.lexicon
  python -m crnn_edge read crops/ --decoder lexicon --set words=names.lexicon
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from crnn_edge.backends import open_backend
from crnn_edge.cli.arguments import add_backend, add_json, add_model
from crnn_edge.errors import CrnnError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `index-lexicon`."""
    parser.add_argument("words", type=Path, metavar="FILE", help="the word list")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the index")
    add_model(parser)
    add_backend(parser)
    parser.add_argument(
        "--case-sensitive",
        action="store_true",
        help="treat `Word` and `WORD` as different words (default: as one)",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Write the index."""
    from crnn_edge.decoders.lexicon_index import LexiconIndex  # no other command needs it

    if os.path.realpath(options.out) == os.path.realpath(options.words):
        raise CrnnError(
            f"--out {options.out} is the word list itself and would overwrite it: name another file"
        )
    charset = open_backend(options.model, options.backend, threads=1).manifest.charset
    index = LexiconIndex.read(options.words, charset, ignore_case=not options.case_sensitive)
    index.save(options.out)
    count = int(index.automaton.accepts.sum())
    size = options.out.stat().st_size
    if options.json:
        print(json.dumps({"path": str(options.out), "words": count, "size_bytes": size}))
    else:
        print(f"{options.out}: {count:,} words, {size:,} bytes")
    return 0
