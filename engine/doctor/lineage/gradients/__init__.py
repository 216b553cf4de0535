"""Each gradient that was stepped with, returned or kept, beside the one that it should be."""
