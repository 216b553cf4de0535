"""The engine's own network beside the user's, where it is recognised."""
