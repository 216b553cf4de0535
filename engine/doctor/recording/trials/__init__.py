"""A program run once more with a changed text, or asked for the values of other expressions where a line stands."""
