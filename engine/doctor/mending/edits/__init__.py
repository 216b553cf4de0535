"""Small edits of a statement's text."""
