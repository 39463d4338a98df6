"""Building blocks of styles: segments, dots, plates, glyphs, views."""
