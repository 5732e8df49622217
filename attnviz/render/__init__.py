"""Figures and numbers as people get them: pictures, terminal text, data files."""
