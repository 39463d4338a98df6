"""Entry point of `python -m quantize.tflite`."""

import sys

from quantize.cli import main
from quantize.tflite import QUANTIZER

sys.exit(main(QUANTIZER))
