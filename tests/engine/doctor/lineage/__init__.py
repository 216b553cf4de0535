"""The doctor follows a program's own run."""
