"""A checkpoint in every format, each file verified: `python -m export.all --int8`.

A format is a module of this folder that can `convert`. One that fails, or whose engine is not
installed, does not keep the others from being made.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crnn_edge import plugins
from crnn_edge.cli.run import run_command
from crnn_edge.errors import MissingEngineError
from export import cli as export_cli
from export.verify import demand, torch_contender
from model.network.checkpoint import Checkpoint, load_checkpoint
from model.network.fusion import num_parameters
from quantize import cli
from quantize.calibration import Crops
from quantize.comparison import Comparison, VerificationError
from quantize.tables import overview
from quantize.verify import Contender, compare_all, seal

EXAMPLES = f"""\
examples:
  python -m export.all                    the shipped checkpoint in FP32, into {export_cli.FOLDER}/
  python -m export.all --int8             the same, and INT8
  python -m export.all runs/meter/best.safetensors --int8 --calibration meter-crops --out meter
"""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Settings from a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.all",
        description="Write a checkpoint in every format, in FP32 and, with --int8, INT8. Verify\n"
        "each file against the checkpoint and print one table over all. A file that\n"
        "loses more than the margin is not written, the others are: exit code 1.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export_cli.add_checkpoint(parser)
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        default=export_cli.FOLDER,
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--allow-absent",
        action="store_true",
        help="do without formats whose engine is not installed: no failure",
    )
    cli.add_arguments(parser)
    cli.add_auto(parser)
    args = parser.parse_args(argv)
    cli.check_arguments(parser, args)
    export_cli.check_auto(parser, args)
    if args.out.exists() and not args.out.is_dir():
        parser.error(f"--out {args.out} is a file: name a folder")
    return args


@dataclass
class _Missing:
    """Why files are missing, by format."""

    absent: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, error: Exception) -> None:
        fate = self.absent if isinstance(error, MissingEngineError) else self.failed
        told = str(error) or repr(error)
        fate.setdefault(name, told)  # what follows from the first is no news
        cli.remark(f"error: {name}: {told}")

    def demand(self, *, allow_absent: bool) -> None:
        """Pass in silence if nothing is missing that must not be."""
        told = [f"{len(self.failed)} failed ({', '.join(self.failed)})"] if self.failed else []
        if self.absent and not allow_absent:
            told.append(f"{len(self.absent)} lack their engine ({', '.join(self.absent)})")
        if told:
            raise VerificationError(f"not every format was made: {'; '.join(told)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m export.all`."""
    args = parse(argv)
    return run_command(lambda: _export(args))


def _export(args: argparse.Namespace) -> None:
    checkpoint = load_checkpoint(args.checkpoint)
    calibrating, judging = cli.crops(args)
    judging = cli.judges(judging, checkpoint.manifest.charset, int8=args.int8)
    missing = _Missing()
    files: list[tuple[cli.Format, Path]] = []
    candidates: list[Contender] = []
    written: list[Path] = []
    with cli.scratch(args.out / args.checkpoint.stem) as folder:
        for name in plugins.available("export", "convert"):
            try:
                for form, path in _make(args, checkpoint, name, folder, calibrating, judging):
                    candidate = Contender.open(path)
                    candidate.probe(judging)
                    candidates.append(candidate)
                    files.append((form, path))
            except Exception as error:  # engines and converters fail in ways of their own
                missing.add(name, error)
        cli.remark(f"comparing {len(files)} files on {judging}")
        comparisons = compare_all(torch_contender(checkpoint), candidates, judging)
        for index, (form, path) in enumerate(files):
            try:
                demand(comparisons[index], args.margin)
                if comparisons[index].candidate.precision == "int8" and form.name in missing.failed:
                    raise VerificationError(f"{path.name} was made from a file that is wrong")
                comparisons[index] = seal(path, comparisons[index], form.replace_manifest)
            except VerificationError as error:
                missing.add(form.name, error)
                continue
            cli.deliver(path, args.out / path.name)
            written.append(args.out / path.name)
    _report(args, comparisons, written, missing, num_parameters(checkpoint.model))
    missing.demand(allow_absent=args.allow_absent)


def _make(
    args: argparse.Namespace,
    checkpoint: Checkpoint,
    name: str,
    folder: Path,
    calibrating: Crops,
    judging: Crops,
) -> Iterator[tuple[cli.Format, Path]]:
    """A format's files, none of them verified yet, FP32 first."""
    module = importlib.import_module(f"export.{name}")
    form: cli.Format = module.FORMAT
    fp32, int8 = (
        folder / export_cli.file_name(args.checkpoint, form, int8=small) for small in (False, True)
    )
    cli.remark(f"exporting {fp32.name}")
    module.convert(checkpoint, fp32)
    yield form, fp32
    if args.int8:
        cli.write_int8(form, fp32, int8, calibrating, judging, args)
        yield form, int8


def _report(
    args: argparse.Namespace,
    comparisons: Sequence[Comparison],
    written: Sequence[Path],
    missing: _Missing,
    weights: int,
) -> None:
    """What was made, on stdout."""
    if args.json:
        files = [str(path) for path in written]
        verified = [comparison.to_dict() for comparison in comparisons]
        print(json.dumps({"files": files, "verified": verified, **vars(missing)}))
        return
    if comparisons:
        print(overview(comparisons, weights))
    print(f"\nwrote {len(written)} models to {args.out}: {', '.join(p.name for p in written)}")


if __name__ == "__main__":
    sys.exit(main())
