"""The command line: `loma check | show | run | grad | verify | build | demo | doctor | cache`."""

from loma.cli.app import app, main

__all__ = ["app", "main"]
