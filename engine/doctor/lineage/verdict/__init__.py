"""right, wrong or undecided, and what makes a right verdict doubted."""
