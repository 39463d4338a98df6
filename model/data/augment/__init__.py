"""What is done to crops before they are trained on."""
