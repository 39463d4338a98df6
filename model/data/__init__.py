"""Words to train on: rendered ones, real ones, and mixtures of both."""
