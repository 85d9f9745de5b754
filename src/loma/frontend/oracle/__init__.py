"""Interprets the typed tree, independently of all that comes after it."""
