"""INT8 storage for `.npz` files: a quarter of the size, computed in float as before.

Only weights are rounded, with a scale for each output channel. So calibration crops are not used.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path

from crnn_edge.backends.numpy import LAYERS, read_arrays, read_manifest
from quantize.calibration import LabelledCrops
from quantize.cli import main
from quantize.formats.numpy import FORMAT, Arrays, write
from quantize.layer_names import check_float, int8_manifest, layer_names, select_layers
from quantize.quantizer import Quantizer
from quantize.rounding import round_weights


def quantize(
    source: Path,
    target: Path,
    calibration: LabelledCrops,
    exclude_layers: Collection[str] = (),
) -> None:
    """Write the INT8 version of an FP32 model file, unverified.

    Args:
        source: An FP32 `.npz` file with a manifest.
        target: The file to write.
        calibration: Not used; every quantizer takes it.
        exclude_layers: Layers to keep in float, named as in `quantize.layer_names`.

    Raises:
        ModelFileError: If `source` is not such a file, or is quantized already.
        LayerNameError: If the network has no layer of a name to exclude.
    """
    del calibration
    arrays = read_arrays(source)
    manifest = read_manifest(source, arrays)
    check_float(source, manifest)
    names = names_by_index(arrays)
    selected = select_layers(list(names.values()), exclude_layers)
    rounded: Arrays = {}
    for name, array in arrays.items():
        index, _, field = name.partition(".")
        if "weight" in field and names[index] in selected:
            axes = 2 if array.ndim == 3 else 1  # an LSTM's first axis is the direction
            rounded[name], rounded[f"{name}.scale"] = round_weights(array, axes)
        else:
            rounded[name] = array
    write(rounded, int8_manifest(manifest, selected), target)


def names_by_index(arrays: Arrays) -> dict[str, str]:
    """The names of the layers with weights, by their index in the file."""
    classes = [fact["kind"] for fact in json.loads(arrays[LAYERS].tobytes())]
    return {str(index): name for index, name in enumerate(layer_names(classes)) if name}


QUANTIZER = Quantizer(FORMAT, quantize)


if __name__ == "__main__":
    sys.exit(main(QUANTIZER))
