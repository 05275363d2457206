"""The dataset's folder: images, captions, masks and the manifest."""
