"""What a network reads wrong, in figures and pictures."""
