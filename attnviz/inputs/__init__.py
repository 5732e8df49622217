"""Image and sound files -> the arrays that models read, as a checkpoint's own processor would compute them."""
