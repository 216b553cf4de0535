"""Why a number is what it is, where the gradient goes, and what is wrong with it."""
