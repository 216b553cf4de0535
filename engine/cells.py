"""What a user's cell file imports: `from engine.cells import Cell`. The built-in cells are in `engine.tables.cells`."""

from engine.tables.cells import CELLS, Cell

__all__ = ["CELLS", "Cell"]
