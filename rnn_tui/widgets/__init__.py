"""Widgets: a reactive and a click around a drawing."""
