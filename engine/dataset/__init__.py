"""The dataset: square training images with a caption beside each, in the folder layout that kohya's trainers read."""
