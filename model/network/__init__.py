"""The network: its shape, its weights, and what changes them."""
