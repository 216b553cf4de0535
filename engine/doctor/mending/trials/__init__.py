"""Edits tried: where their lines run, and in runs of the changed program."""
