"""How far each layer is from what this machine can do: where the next optimization is.

The yardstick is a plain matrix product of the same type in the same engine (ONNX Runtime: MatMul
for FP32, MatMulInteger for INT8; the best of three sizes, its fastest tenth). Each layer's time
comes from the engine's own profile, its work from the shapes of its weights. "lost" is the time
above what the yardstick would need for the same work; the table is sorted by it. Layers without
weights have no work that counts, so all their time is lost.

Examples:
  python examples/benchmark.py roofline
  python examples/benchmark.py roofline --models fp32.onnx int8.onnx --width 256 --threads 2
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from crnn_edge.files import atomic_write
from crnn_edge.recognizer import DEFAULT_MODEL
from crnn_edge.tables import figure, markdown
from examples.benchmarks import options as shared
from examples.benchmarks.layers import Layer, measure
from examples.benchmarks.machine import conditions
from examples.benchmarks.models import titles


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be asked."""
    add = parser.add_argument
    add(
        "--models",
        nargs="+",
        type=Path,
        default=[DEFAULT_MODEL],
        metavar="FILE",
        help="`.onnx` model files (default: the shipped model)",
    )
    add(
        "--width",
        type=shared.count,
        default=128,
        metavar="PX",
        help="of the tensor (default: %(default)s, a word of about eight letters)",
    )
    add("--threads", type=shared.count, default=1, metavar="N", help="(default: %(default)s)")
    shared.add_rounds(parser, 40)
    add(
        "--layers",
        type=shared.count,
        default=12,
        metavar="N",
        help="print that many, the worst (default: %(default)s)",
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    before = conditions()
    found, limits = measure(options.models, options.width, options.threads, options.rounds)
    told = ", ".join(f"{name} {figure(value)} GOP/s" for name, value in limits.items())
    met = before.told(conditions())
    print(
        f"{met}; threads: {options.threads}; width: {options.width} px; a "
        f"plain matrix product: {told}"
    )
    results = []
    names = titles(found)
    for path, (run_us, layers) in found.items():
        rows = sorted((_row(layer, limits) for layer in layers), key=lambda row: -row["lost_us"])
        total = {key: sum(row[key] for row in rows) for key in ("us", "operations", "lost_us")}
        results.append({"file": names[path], "run_us": run_us, "total": total, "layers": rows})
        speed = 1e3 * total["operations"] / run_us
        print(
            f"\n{names[path]}: {figure(run_us)} µs a run, {figure(total['operations'])} million "
            f"operations, {figure(speed)} GOP/s; {figure(total['us'])} µs in the layers below "
            f"(profiled), {figure(total['lost_us'])} µs of them above the limit\n"
        )
        heads = [
            "layer",
            "operator",
            "type",
            "output",
            "µs",
            "Mop",
            "GOP/s",
            "% of limit",
            "µs lost",
        ]
        print(markdown(heads, [_cells(row) for row in rows[: options.layers]]))
        if len(rows) > options.layers:
            rest = rows[options.layers :]
            print(f"\nand {len(rest)} more, {figure(sum(row['lost_us'] for row in rest))} µs lost")
    if options.json:
        content = {"conditions": met, "limits_gops": limits, "models": results}
        atomic_write(options.json, json.dumps(content, indent=1).encode())
    return 0


def _row(layer: Layer, limits: dict[str, float]) -> dict[str, Any]:
    limit = limits["INT8" if layer.int8 else "FP32"]
    return {
        **vars(layer),
        "type": "INT8" if layer.int8 else "FP32",
        "gops": layer.operations / layer.us * 1e3 if layer.us else 0.0,
        "of_limit": layer.operations / layer.us * 1e3 / limit if layer.us else 0.0,
        "lost_us": max(0.0, layer.us - layer.operations / limit * 1e3),
    }


def _cells(row: dict[str, Any]) -> list[str]:
    works = row["operations"] > 0
    return [
        row["name"],
        row["kind"],
        row["type"] if works else "–",
        "×".join(map(str, row["shape"])),
        figure(row["us"]),
        figure(row["operations"]) if works else "–",
        figure(row["gops"]) if works else "–",
        f"{100 * row['of_limit']:.0f}" if works else "–",
        figure(row["lost_us"]),
    ]
