"""The grid (X/Y plot): pictures that differ in a few values only, each value a column, a row or a page."""
