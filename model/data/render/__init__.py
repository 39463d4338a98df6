"""How rendered text is drawn."""
