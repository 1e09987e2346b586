"""Interactive pages: one HTML file each, which asks the network for nothing."""
