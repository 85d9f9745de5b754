"""Differentiation: core IR to core IR, closed under nesting."""
