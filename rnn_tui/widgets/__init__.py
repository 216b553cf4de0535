"""Widgets: a reactive and click handling around a drawing function."""
