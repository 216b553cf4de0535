"""The wrong line of a program, found and corrected: small edits are tried in its own run, until all gradients are right."""
