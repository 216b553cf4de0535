"""The cells that come with the project, by name; and other cells that people call by these names, which only the doctor uses.

`CELLS` are those that most people mean, as which programs and frameworks' weights are recognised; `FURTHER` ones are asked for by name.
"""

from engine.tables.cells import gru, lstm
from engine.tables.cells.base import Cell
from engine.tables.cells.coupled import COUPLED
from engine.tables.cells.gru import GRU
from engine.tables.cells.gru_before import GRU_BEFORE
from engine.tables.cells.irnn import IRNN
from engine.tables.cells.layernorm import LAYER_NORM
from engine.tables.cells.leaky import LEAKY
from engine.tables.cells.lru import LRU
from engine.tables.cells.lstm import LSTM
from engine.tables.cells.lstmp import LSTMP
from engine.tables.cells.mgu import MGU
from engine.tables.cells.mingru import MINGRU
from engine.tables.cells.peephole import PEEPHOLE
from engine.tables.cells.rnn import RNN

CELLS: dict[str, Cell] = {cell.name: cell for cell in (RNN, LSTM, GRU)}
FURTHER: dict[str, Cell] = {
    cell.name: cell for cell in (PEEPHOLE, LSTMP, LAYER_NORM, COUPLED, GRU_BEFORE, MGU, LEAKY, MINGRU, LRU, IRNN)
}
BY_NAME: dict[str, Cell] = {**CELLS, **FURTHER}
VARIANTS: dict[str, tuple[Cell, ...]] = {LSTM.name: lstm.VARIANTS, GRU.name: gru.VARIANTS}

__all__ = ["BY_NAME", "CELLS", "FURTHER", "VARIANTS", "Cell"]
