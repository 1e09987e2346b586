"""The algorithms of a correlation, one file each."""
