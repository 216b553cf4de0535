"""Weights files: NPZ; safetensors where that package is installed (the extra `safetensors`); PyTorch's own where torch is.

`read_weights` takes the engine's names, those of PyTorch's state_dict (see `engine.model.parameters`) and of other frameworks
(`engine.notation.frameworks`); `write_weights` writes the engine's, `write_gradients` the gradients as the file has its weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from engine.errors import InputError
from engine.files.arrays import MEMORY_LIMIT, read_npz
from engine.files.options import LAYERS
from engine.files.raw import opened, shown, too_large, unreadable
from engine.files.trace import is_trace
from engine.files.writing import replaced, write_npz
from engine.language.functions import Array
from engine.model.layers import BACKWARDS, EMBEDDING, INITIAL
from engine.model.pytorch import as_array
from engine.model.weights_recipe import WeightsRecipe
from engine.notation import recipe_in
from engine.tables.cells import BY_NAME, Cell
from engine.tables.heads import READ_OUT
from engine.text import clean

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from engine.recording.tape import Tape

SAFETENSORS = ".safetensors"
TORCH = (".pt", ".pth", ".bin", ".ckpt")
_PICKLES = (*TORCH, ".pkl", ".pickle")
_FLOATS = ("F64", "F32", "F16")


@dataclass(frozen=True, eq=False)
class Weights:
    """A file's weights: its arrays, read-only, and how the parameters are made from them."""

    path: Path
    arrays: Mapping[str, Array]
    recipe: WeightsRecipe

    @property
    def cell(self) -> Cell:
        """The cell whose weights they are."""
        return self.recipe.cell

    @property
    def sizes(self) -> Mapping[str, int]:
        """D, H, and C where the file has a read-out."""
        return self.recipe.sizes

    @cached_property
    def parameters(self) -> Mapping[str, Array]:
        """The parameters by our names and in our shapes, of the file's own type."""
        return self.recipe.parameters(self.arrays)


def read_weights(
    path: Path,
    *,
    cell: Cell | None = None,
    notation: str = "ng",
    allow_nan: bool = False,
    limit: int = MEMORY_LIMIT,
) -> Weights:
    """The weights at `path`, of `cell` or (None) of the one of the project's cells that has such arrays.

    They may have the names and the layout of a notation, beside ours and PyTorch's (see `engine.notation.recipe_in`). A trace counts as a
    weights file too. Raises InputError for what is no such file, larger than `limit` bytes, or NaN or infinite without `allow_nan`.
    """
    cells = tuple(BY_NAME.values()) if cell is None else (cell,)
    suffix = path.suffix.lower()
    if suffix in TORCH and find_spec("torch") is not None:
        arrays = _read_torch(path, limit)
    elif suffix in _PICKLES:
        installed = ", or install torch, which reads it without running code" if suffix in TORCH else ""
        raise InputError(
            f"{shown(path)} is a pickle by its name, which may run code when it is read; "
            f"save the state_dict with safetensors.torch.save_file, or its arrays with np.savez{installed}"
        )
    elif suffix == SAFETENSORS:
        arrays = _read_safetensors(path, limit)
    else:
        arrays = read_npz(path, _parameters_of(cells) if is_trace(path) else None, limit=limit)
    try:
        recipe = recipe_in(notation, {name: array.shape for name, array in arrays.items()}, cells)
    except InputError as error:
        raise InputError(f"{shown(path)}: {error}") from None
    for name, array in arrays.items():
        if not allow_nan and not np.isfinite(array).all():
            index = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
            value = array[tuple(index)]
            raise InputError(f"{shown(path)}: {clean(name, 60)}{index} is {value}; --allow-nan opens it all the same")
        array.flags.writeable = False
    return Weights(path, arrays, recipe)


def write_weights(path: Path, parameters: Mapping[str, Array]) -> None:
    """Writes parameters under our names, as safetensors when `path` ends so, else as NPZ; beside it first and then renamed.

    Raises InputError when the file cannot be written; what was there before is then untouched.
    """
    if path.suffix.lower() != SAFETENSORS:
        write_npz(path, parameters)
        return
    arrays = {name: np.array(value, order="C") for name, value in parameters.items()}
    content: bytes = _safetensors("safetensors.numpy").save(arrays)
    with replaced(path) as file:
        file.write(content)


def write_gradients(path: Path, weights: Weights, tape: Tape) -> tuple[str, ...]:
    """Writes the loss's gradients under the names, shapes and orders of the weights file, `loss` and `dx` (N, T, D) beside them, as NPZ.

    Gives the names. What the file does not hold (a read-out that was drawn) is left out.
    """
    made = weights.recipe.gradients(weights.arrays, tape.gradients)
    arrays = {**made, "loss": np.asarray(tape["loss"]), "dx": np.moveaxis(np.asarray(tape["dx"]), 0, 1)}
    write_npz(path, arrays)
    return tuple(arrays)


def _parameters_of(cells: Collection[Cell]) -> set[str]:
    numbers = ("", *(f"{number}{way}" for number in range(1, LAYERS + 1) for way in ("", BACKWARDS)))
    own = {name for cell in cells for name in (*cell.parameters, *(state + INITIAL for state in cell.states))}
    return {name + number for name in own for number in numbers} | {*READ_OUT, EMBEDDING}


def _safetensors(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"for {SAFETENSORS} files the package safetensors is missing: pip install 'rnn-tui[safetensors]', or use NPZ"
        ) from error


def _read_torch(path: Path, limit: int) -> dict[str, Array]:
    """The tensors of a state_dict, alone or under a name (`{"model": ...}`), by torch's loader that unpickles nothing but tensors."""
    torch: Any = import_module("torch")
    try:
        with opened(path) as file:
            if path.stat().st_size > limit:
                raise too_large(path, path.stat().st_size, limit)
            held: Any = torch.load(file, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    except Exception as error:  # whatever torch or its unpickler makes of the file
        raise InputError(
            f"{shown(path)} holds more than tensors, or is damaged ({clean(str(error), 80)}); save the state_dict alone"
        ) from error
    tensors = next((found for each in _dictionaries(held) if (found := _tensors(each))), dict[str, Any]())
    if not tensors:
        raise InputError(
            f"{shown(path)} holds no state_dict; save that of the model: torch.save(model.state_dict(), FILE)"
        )
    return {name: np.array(as_array(value)) for name, value in tensors.items()}


def _tensors(held: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in held.items() if hasattr(value, "detach")}


def _dictionaries(held: Any) -> Iterator[Mapping[str, Any]]:
    """A dictionary and those in it, outermost first."""
    if isinstance(held, Mapping):
        inside = cast("Mapping[str, Any]", held)
        yield inside
        for value in inside.values():
            yield from _dictionaries(value)


def _read_safetensors(path: Path, limit: int) -> dict[str, Array]:
    package = _safetensors("safetensors")
    try:
        opened(path).close()  # what the system says goes before what the package says
        with package.safe_open(str(path), framework="numpy") as file:
            total = 0
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                header = file.get_slice(name)
                if header.get_dtype() not in _FLOATS:
                    kind = clean(str(header.get_dtype()), 20)
                    raise InputError(
                        f"{shown(path)}: {clean(name, 60)} holds {kind}; save weights as one of {', '.join(_FLOATS)}"
                    )
                total += 8 * int(np.prod(header.get_shape(), dtype=object))
            if total > limit:
                raise too_large(path, total, limit)
            return {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise unreadable(path, error) from error
    except package.SafetensorError as error:
        raise InputError(
            f"{shown(path)} is cut off, damaged or no safetensors file ({clean(str(error), 80)})"
        ) from error
