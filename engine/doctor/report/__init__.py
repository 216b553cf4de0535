"""Leads each examination, and reports its result as text, as JSON, and line by line for the screen."""
