"""The user's file as text and as a tree: its source, notebooks, Python 2, what its top level runs."""
