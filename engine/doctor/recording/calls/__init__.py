"""Functions of a program called with arguments that were made up for them, their sizes and values fitted to what they do."""
