"""Mutants of real files, read in watched processes: see scripts/fuzz.py."""
