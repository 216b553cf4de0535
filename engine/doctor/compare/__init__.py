"""Compares arrays in a user's file with the engine's."""
