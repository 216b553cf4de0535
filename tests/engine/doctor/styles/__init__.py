"""Hand-written backward passes in the styles in which people write them, and the catalogue's mistakes as edits of their text."""

from tests.engine.doctor.styles import (
    characters,
    columns,
    dictionary,
    per_sample,
    rows,
    sentences,
    supplied,
    transposed,
)
from tests.engine.doctor.styles.style import Style

STYLES: tuple[Style, ...] = (
    columns.STYLE,
    per_sample.STYLE,
    rows.STYLE,
    transposed.STYLE,
    dictionary.STYLE,
    characters.STYLE,
    sentences.STYLE,
    supplied.STYLE,
)
