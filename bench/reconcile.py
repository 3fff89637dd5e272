"""A full reconciliation run beside the bare full outer join of the same rows."""

from collections.abc import Callable

from bench.figures import Figure, Scale
from reconciliation.bench import measure as compared


def measure(scale: Scale, say: Callable[[str], None]) -> list[Figure]:
    """Return one figure per size."""
    figures = []
    for rows in scale.sides:
        say(f"reconcile: {rows:,} × {rows:,}")
        found = compared(rows, scale.rounds)
        figures.append(
            Figure(
                job=f"full reconciliation, {rows:,} × {rows:,}",
                against="a bare FULL OUTER JOIN of the same tables",
                unit="s",
                ours=found.full_seconds,
                bare=found.bare_seconds,
                reach=1.5,
                note=f"{found.variances:,} variances stored; the desk takes {found.desk_seconds:.1f} s more",
            )
        )
    return figures
