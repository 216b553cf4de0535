"""A user's model run once on X, and the calls of its parts that were seen on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from engine.language.functions import Array
from engine.model.pytorch import as_array


@dataclass(frozen=True)
class ModuleCall:
    """One call of a module: its first argument, the initial state where it was given one, and what it made."""

    module: Any
    given: Any
    state: Any
    made: Any


@dataclass
class Run:
    """The calls in their order, and the model's output, None where it could not be called with X alone."""

    calls: list[ModuleCall] = field(default_factory=list[ModuleCall])
    output: Array | None = None

    def once(self, module: Any) -> bool:
        """Whether a module was called just once."""
        return sum(call.module is module for call in self.calls) == 1

    def ran(self, module: Any) -> bool:
        """Whether a module was called."""
        return any(call.module is module for call in self.calls)

    def given(self, module: Any) -> Any:
        """What a module was given first; None where it was not called."""
        return next((call.given for call in self.calls if call.module is module), None)


def run_of(model: Any, X: Any, parts: Iterable[Any]) -> Run:
    """What a model makes of X, without dropout and without gradients, and the calls of its `parts`.

    Each of its modules is put back into the mode in which it was: a part may be frozen.
    """
    import sys

    torch: Any = sys.modules.get("torch")
    quiet: Callable[[], Any] = torch.no_grad if torch is not None else nullcontext
    run = Run()

    def keep(module: Any, arguments: tuple[Any, ...], named: dict[str, Any], made: Any) -> None:
        given = (*arguments, None, None) if arguments else (named.get("input"), None, None)
        run.calls.append(ModuleCall(module, given[0], given[1] if len(arguments) > 1 else named.get("hx"), made))

    handles = [part.register_forward_hook(keep, with_kwargs=True) for part in parts]
    modes = [(module, module.training) for _, module in model.named_modules() if hasattr(module, "training")]
    try:
        for module, _ in modes:
            module.training = False
        with quiet():
            output = model(X)
        run.output = as_array(output[0] if isinstance(output, tuple) else output)
    except Exception:
        return run
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode
    return run
