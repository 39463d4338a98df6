"""Training side of the toolkit: the CRNN in PyTorch, its data, its checkpoints."""

from crnn_edge.cli.run import commands_need

commands_need("train", "torch", "safetensors", "tqdm", "PIL", "cv2")
