"""From the surface tree to the typed tree, or to diagnostics."""
