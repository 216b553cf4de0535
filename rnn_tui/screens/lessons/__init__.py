"""A lesson on both screens: its keys, and how it is chosen and opened."""
