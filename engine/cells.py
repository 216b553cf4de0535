"""What a file with a cell of one's own imports: `from engine.cells import Cell`. The cells themselves are in `engine.tables.cells`."""

from engine.tables.cells import CELLS, Cell

__all__ = ["CELLS", "Cell"]
