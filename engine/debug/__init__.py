"""Moving through a recorded program: points, breakpoints, conditions, edits."""
