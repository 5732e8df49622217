"""Files: text in, whole files out, and files that nobody has checked."""
