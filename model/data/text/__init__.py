"""What rendered text says."""
