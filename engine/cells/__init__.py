"""The cells that come with the project, by name; and what else goes by these names, which only the doctor knows."""

from engine.cells import gru, lstm
from engine.cells.base import Cell
from engine.cells.gru import GRU
from engine.cells.lstm import LSTM
from engine.cells.rnn import RNN

CELLS: dict[str, Cell] = {cell.name: cell for cell in (RNN, LSTM, GRU)}
VARIANTS: dict[str, tuple[Cell, ...]] = {LSTM.name: lstm.VARIANTS, GRU.name: gru.VARIANTS}

__all__ = ["CELLS", "VARIANTS", "Cell"]
