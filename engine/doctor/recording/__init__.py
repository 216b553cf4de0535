"""What runs in the user's own process, beside the user's own program: its confinement, and the recording of its numbers.

Nothing here needs more than the standard library and NumPy, Python 3.8 and NumPy 1.19 are enough, and nothing is imported by an
absolute name of this project: the folder is loaded by its path under a private name, so that a user's `engine.py` is the user's own.
"""
