"""`python -m bench`: run the measures, each in a process and a database of its own, and print them side by side."""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import FULL, LARGE, QUICK, Measured, Scale, table
from bench.ground import TEMPLATE, Ground, ground
from bench.process import measured, prepared, say

MEASURES = ("intake", "pipeline", "posting", "claims", "history", "reconcile")


def main() -> int:
    """Run from the command line; returns 0 also where a bar is missed, 1 where a measure broke."""
    given = _arguments()
    scale = QUICK if given.quick else LARGE if given.large else FULL
    started = time.monotonic()
    results: dict[str, Measured | None] = {}
    try:
        with ground() as place:
            say("PostgreSQL (fsync on) and Redis run; making the sample company")
            prepared(place.environment(TEMPLATE))
            for name in given.only or MEASURES:
                results[name] = _measured(place, name, scale)
    except KeyboardInterrupt:
        say("interrupted; everything that was started is stopped")
    _print(results, time.monotonic() - started)
    if given.json:
        _keep(given.json, results)
    return 1 if None in results.values() else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure finsync against the bare thing.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sizes: a minute or two")
    size.add_argument("--large", action="store_true", help="a million rows a side, 10,000 entities")
    parser.add_argument("--only", nargs="+", choices=MEASURES, help="only these measures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to a file")
    return parser.parse_args()


def _measured(place: Ground, name: str, scale: Scale) -> Measured | None:
    database, started = f"bench_{name}", time.monotonic()
    try:
        answer = measured(place.copy(database), name, scale)
    finally:
        place.drop(database)
    if answer is None:
        say(f"{name} broke; its error stands above")
        return None
    answer.seconds = time.monotonic() - started
    say(f"{name}: done in {answer.seconds:.0f} s")
    return answer


def _print(results: dict[str, Measured | None], elapsed: float) -> None:
    figures = [figure for result in results.values() if result for figure in result.figures]
    if not figures:
        return
    print(f"\n{table(figures)}\n")
    for name, result in results.items():
        if result:
            started = (
                f", largest process it started {result.servers_memory_mb:.0f} MB" if result.servers_memory_mb else ""
            )
            print(f"{name}: peak memory {result.memory_mb:.0f} MB{started}; {result.seconds:.0f} s")
    missed = sum(figure.met is False for figure in figures)
    print(f"{len(figures)} figures in {elapsed:.0f} s; bars missed: {missed}")


def _keep(path: Path, results: dict[str, Measured | None]) -> None:
    found = {name: result for name, result in results.items() if result}
    kept = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "figures": {name: [figure.as_json() for figure in result.figures] for name, result in found.items()},
        "peak_memory_mb": {name: round(result.memory_mb) for name, result in found.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
