"""Read text files, write files completely or not at all, and read untrusted files within limits."""
