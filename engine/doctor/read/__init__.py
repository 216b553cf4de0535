"""The user's file as text and as a tree: source, syntax, kinds of values."""
