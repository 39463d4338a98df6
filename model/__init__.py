"""Training side of the toolkit: the CRNN in PyTorch, its data, its checkpoints."""
