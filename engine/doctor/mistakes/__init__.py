"""The catalogue of mistakes: one file each, with its title, its remedy and an example."""
