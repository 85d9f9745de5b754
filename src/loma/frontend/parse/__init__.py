"""From text to the surface tree."""
