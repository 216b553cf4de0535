"""Hand-written backward passes in the styles in which people write them, and the catalogue's mistakes as edits of their text."""

from tests.engine.doctor.styles import columns, dictionary, per_sample, rows, transposed
from tests.engine.doctor.styles.style import Style

STYLES: tuple[Style, ...] = (columns.STYLE, per_sample.STYLE, rows.STYLE, transposed.STYLE, dictionary.STYLE)
