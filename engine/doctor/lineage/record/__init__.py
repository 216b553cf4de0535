"""A record of a run: read and checked, carried back, and what in it was stepped and by what."""
