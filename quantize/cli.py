"""What the command lines of quantizers and exporters share, whatever the format."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from crnn_edge.backends import open_backend
from crnn_edge.charset import Charset
from crnn_edge.cli.run import run_command
from crnn_edge.errors import CrnnError
from crnn_edge.files import model_files, model_size
from crnn_edge.manifest import Manifest
from quantize import calibration
from quantize import full_integer as integer
from quantize import mixed_precision as auto
from quantize.calibration import MIN_CROPS, CalibrationError, Crops
from quantize.comparison import Comparison
from quantize.tables import pair
from quantize.verify import MARGIN_POINTS, Contender, accept

_FEW = 100  # crops: of fewer, one is more than a point


class Quantizer(Protocol):
    """What writes an INT8 file, unverified."""

    def __call__(
        self, source: Path, target: Path, crops: Crops, keep_float: Collection[str] = ()
    ) -> None:
        """Write the INT8 version of an FP32 file.

        Args:
            source: The FP32 file.
            target: The file to write.
            crops: What calibrates.
            keep_float: Layers to leave as they are, by the names of `quantize.layer_names`.
        """
        ...


@dataclass(frozen=True)
class Format:
    """What a file format must be able to do to be quantized.

    Attributes:
        name: What commands call it, such as `onnx`.
        suffix: What its files end in, such as `.onnx`.
        quantize: Writes the INT8 version of an FP32 file, unverified.
        replace_manifest: Gives a file another manifest.
        integer: For a width in pixels, what writes files for whole numbers alone; None if nothing.
        ending: What the names of INT8 files end in, before the suffix.
    """

    name: str
    suffix: str
    quantize: Quantizer
    replace_manifest: Callable[[Path, Manifest], None]
    integer: Callable[[int], Quantizer] | None = None
    ending: str = "-int8"


def add_crops(parser: argparse.ArgumentParser) -> None:
    """The arguments about calibrating, judging and printing."""
    parser.add_argument(
        "--calibration",
        metavar="FOLDER",
        type=Path,
        default=calibration.DEFAULT,
        help="labelled crops (labels.tsv): the 1st, 3rd, … choose the INT8 ranges, the 2nd, 4th, "
        "… judge the result, as far as the network's charset can spell their labels (default: the "
        "rendered crops in quantize/crops)",
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        type=Path,
        help="judge on all of these labelled crops instead",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of those that pass a verdict, too."""
    add_crops(parser)
    parser.add_argument(
        "--margin",
        metavar="POINTS",
        type=float,
        default=MARGIN_POINTS,
        help="points of accuracy that may be lost; beyond it nothing is written and the exit "
        "code is 1 (default: %(default)g)",
    )


def add_auto(parser: argparse.ArgumentParser) -> None:
    """The argument of those that quantize."""
    parser.add_argument(
        "--auto",
        action="store_true",
        help="where INT8 loses more than the margin, keep as few layers in float as will do; "
        "`python -m quantize.sensitivity` shows which",
    )


def check_out(parser: argparse.ArgumentParser, args: argparse.Namespace, suffix: str) -> None:
    """Refuse an `--out` that is no file of the format."""
    if args.out.suffix != suffix:
        parser.error(f"--out {args.out} must end in {suffix}")
    if args.out.is_dir():
        parser.error(f"--out {args.out} is a folder: name a file in it")


def check_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what contradicts itself among the arguments that all share, before any work."""
    if not 0 <= args.margin <= 100:
        parser.error(f"--margin {args.margin:g} is no number of points: expected 0 to 100")


def crops(args: argparse.Namespace) -> tuple[Crops, Crops]:
    """The crops that calibrate, and those that judge."""
    calibrating, held_out = Crops.load(args.calibration).halves()
    if not args.data:
        return calibrating, held_out
    if args.data.resolve() == args.calibration.resolve():
        remark(f"every other crop of {args.data} judges what it chose itself: leave --data out")
    return calibrating, Crops.load(args.data)


def judges(judging: Crops, charset: Charset, *, int8: bool) -> Crops:
    """The crops that can tell a good file from a bad one: those with labels that it can spell.

    An FP32 file's logits are compared, too, and for those any picture will do: where too few crops
    are left, all of them are taken, and a remark says that accuracy is then no evidence.

    Args:
        judging: Labelled crops that were to judge.
        charset: The network's.
        int8: Whether an INT8 file is to be judged, by accuracy alone.

    Raises:
        CalibrationError: If fewer than `MIN_CROPS` are left to judge an INT8 file.
    """
    spelt = judging.spelt(charset)
    if len(spelt) >= MIN_CROPS:
        if int8 and len(spelt) < _FEW:
            remark(f"judged by only {spelt}: one of them is more than a point of accuracy")
        return spelt
    told = f"the network's charset can spell {len(spelt) or 'none'} of the labels of {judging}"
    if int8:
        raise CalibrationError(
            f"{told}, and at least {MIN_CROPS} are needed to judge an INT8 file: name labelled "
            "crops of your own with --calibration or --data"
        )
    remark(f"{told}: accuracy says nothing here, logits alone are compared")
    return judging


def shrink(
    form: Format,
    source: Path,
    target: Path,
    calibrating: Crops,
    judging: Crops,
    args: argparse.Namespace,
) -> Comparison:
    """Quantize a file and verify the result against it.

    Raises:
        VerificationError: If too much is lost; `target` is then no file to keep.
    """
    reference = Contender.open(source)
    write_int8(form, source, target, calibrating, judging, args)
    remark(f"comparing on {judging}")
    return accept(
        target,
        reference,
        judging,
        margin_points=args.margin,
        replace_manifest=form.replace_manifest,
    )


def write_int8(
    form: Format,
    source: Path,
    target: Path,
    calibrating: Crops,
    judging: Crops,
    args: argparse.Namespace,
) -> None:
    """Quantize a file as the arguments say, without a last verdict.

    Raises:
        VerificationError: If `--auto` finds nothing that is good enough.
    """
    remark(f"quantizing with {calibrating}")
    if not args.auto:
        form.quantize(source, target, calibrating)
    elif kept := auto.quantize(form, source, target, calibrating, judging, args.margin, remark):
        remark(f"kept in float: {', '.join(kept)}")


@contextmanager
def scratch(out: Path) -> Iterator[Path]:
    """A folder beside `out`, gone afterwards: a finished file is moved out, the rest is lost.

    Raises:
        CrnnError: If there can be none.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-")
    except OSError as error:
        raise CrnnError(f"cannot write {out}: {error.strerror}") from None
    with made as folder:
        yield Path(folder)


def deliver(finished: Path, out: Path) -> None:
    """Move a model out of the scratch folder, its model file last."""
    for source, target in zip(model_files(finished), model_files(out), strict=True):
        source.replace(target)


def report(out: Path, comparisons: Sequence[Comparison], as_json: bool) -> None:
    """What was made, on stdout."""
    if as_json:
        verified = [comparison.to_dict() for comparison in comparisons]
        print(json.dumps({"file": str(out), "bytes": model_size(out), "verified": verified}))
        return
    print("\n\n".join(pair(comparison) for comparison in comparisons))
    print(f"\nwrote {out} ({model_size(out) / 1e3:.0f} kB)")


def remark(text: str) -> None:
    """A line about progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def main(form: Format, argv: Sequence[str] | None = None) -> int:
    """`python -m quantize.X`, for a format X."""
    parser = argparse.ArgumentParser(
        prog=f"python -m quantize.{form.name}",
        description=f"Quantize an FP32 {form.suffix} model file to INT8 and verify it: a quarter\n"
        "of the size, and a table of what that costs. Needs no torch.",
        epilog=f"examples:\n  python -m quantize.{form.name} build/crnn-lite{form.suffix}\n"
        f"  python -m quantize.{form.name} meter{form.suffix} --calibration meter-crops --margin 2",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="FP32 model file, with manifest")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help=f"(default: MODEL-int8{form.suffix}, beside MODEL)"
    )
    add_arguments(parser)
    add_auto(parser)
    integer.add_arguments(parser, form)
    args = parser.parse_args(argv)
    form = integer.as_asked(parser, args, form)
    args.out = args.out or args.model.with_name(f"{args.model.stem}{form.ending}{form.suffix}")
    if args.model.suffix.lower() != form.suffix:
        parser.error(
            f"{args.model} is no {form.suffix} file: expected one, which `python -m export."
            f"{form.name} CHECKPOINT` writes (and with --int8 quantizes at once)"
        )
    check_out(parser, args, form.suffix)
    check_arguments(parser, args)
    if args.out.resolve() == args.model.resolve():
        parser.error("--out is MODEL itself: the FP32 file would be lost")

    def work() -> None:
        calibrating, judging = crops(args)
        charset = open_backend(args.model, threads=1).manifest.charset
        judging = judges(judging, charset, int8=True)
        with scratch(args.out) as folder:
            target = folder / args.out.name
            comparison = shrink(form, args.model, target, calibrating, judging, args)
            deliver(target, args.out)
        report(args.out, [comparison], args.json)

    return run_command(work)
