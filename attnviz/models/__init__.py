"""Models: found by name, loaded, given their inputs, and run."""
