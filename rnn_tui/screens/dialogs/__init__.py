"""Dialogs, each of one of four kinds."""
