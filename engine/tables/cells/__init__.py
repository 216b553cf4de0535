"""The cells that come with the project, by name; and other cells that people call by these names, which only the doctor uses."""

from engine.tables.cells import gru, lstm
from engine.tables.cells.base import Cell
from engine.tables.cells.gru import GRU
from engine.tables.cells.lstm import LSTM
from engine.tables.cells.rnn import RNN

CELLS: dict[str, Cell] = {cell.name: cell for cell in (RNN, LSTM, GRU)}
VARIANTS: dict[str, tuple[Cell, ...]] = {LSTM.name: lstm.VARIANTS, GRU.name: gru.VARIANTS}

__all__ = ["CELLS", "VARIANTS", "Cell"]
