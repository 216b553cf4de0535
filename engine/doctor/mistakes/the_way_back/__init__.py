"""On the way back through time, gates and layers."""
