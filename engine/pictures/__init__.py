"""Pictures: the painter and its queue, what a PNG says about itself, likeness."""
