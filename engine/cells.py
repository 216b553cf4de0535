"""What a user's cell file imports: `from engine.cells import Cell`. The built-in cells are in `engine.tables.cells`."""

from engine.tables.cells import BY_NAME, CELLS, Cell

__all__ = ["BY_NAME", "CELLS", "Cell"]
