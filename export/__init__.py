"""From a checkpoint to model files that need no torch, each verified before it is written."""

from crnn_edge.cli.run import commands_need

commands_need("export", "torch", "safetensors")
