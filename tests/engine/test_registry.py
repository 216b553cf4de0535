"""The registry lists what the tables hold, and all options choose from it."""

from __future__ import annotations

from dataclasses import fields

from engine import registry
from engine.files.options import DEFAULTS, OPTIONS
from engine.language.functions import ACTIVATIONS
from engine.model.network import Network
from engine.notation import NOTATIONS
from engine.tables.cells import BY_NAME, CELLS, FURTHER
from engine.tables.heads import HEADS
from engine.tables.optimizers import OPTIMIZERS


def test_the_registry_names_what_the_tables_hold_in_their_order() -> None:
    assert tuple(CELLS) == registry.CELLS
    assert tuple(FURTHER) == registry.FURTHER_CELLS
    assert tuple(ACTIVATIONS) == registry.ACTIVATIONS
    assert tuple(HEADS) == registry.LOSSES
    assert tuple(OPTIMIZERS) == registry.OPTIMIZERS
    assert tuple(NOTATIONS) == registry.NOTATIONS


def test_entries_are_filed_under_their_own_names() -> None:
    for table in (BY_NAME, ACTIVATIONS, HEADS, OPTIMIZERS, NOTATIONS):
        assert all(entry.name == name for name, entry in table.items())


def test_a_network_s_defaults_are_the_options_and_a_choice_s_default_comes_first() -> None:
    by_field = {name.replace("-", "_"): name for name in OPTIONS}
    for field in fields(Network):
        option = by_field.get(field.name)
        if option is not None and isinstance(field.default, str | int | float) and DEFAULTS[option] is not None:
            assert field.default == DEFAULTS[option], field.name
    for name, option in OPTIONS.items():
        if option.choices:
            assert option.default in (None, option.choices[0]), name
    assert Network(inputs=1, outputs=2).predict == registry.PREDICT[0]
    assert Network(inputs=1, outputs=2).loss == registry.LOSSES[0]
