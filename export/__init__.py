"""From a checkpoint to model files that need no torch, each verified before it is written."""
