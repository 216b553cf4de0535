"""How a program of the user's own is to be run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.doctor.run.launch import Wishes


def wishes_of(parsed: argparse.Namespace) -> Wishes:
    """What the command line says of its run, and of its loss where it computes none. InputError for a limit that is none."""
    from engine.doctor.run.launch import Wishes
    from engine.doctor.run.limits import Limits, limits

    return Wishes(
        arguments=parsed.arguments,
        python=parsed.python,
        network=parsed.network,
        limits=limits(parsed.limit) if parsed.limit else Limits(),
        loss=getattr(parsed, "loss", None) or "",
    )
