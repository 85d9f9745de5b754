"""One constructor per error code."""
