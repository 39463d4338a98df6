"""Styles: kinds of things that show text, each drawn by a module of its own."""
