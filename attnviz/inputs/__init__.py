"""Files of images and sound as the arrays that models read: what a checkpoint's own processor would make of them."""
