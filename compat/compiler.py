"""The course's module `compiler`, backed by loma: put this folder on the path."""

from loma.host.course import compile

__all__ = ["compile"]
