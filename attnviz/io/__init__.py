"""Attention from files and to files."""
