"""Figures of the page frame and of the home page, each read in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from finsync.local.places import Home
from finsync.local.progress import Progress, read_all

COUNTED_MAX = 10_000  # a count beyond it is shown as "10,000+"; the frame must cost the same at any backlog
HOURS_SHOWN = 24

SHELL = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM exception_case WHERE state <> 'RESOLVED' LIMIT %(most)s) c) AS cases,
       (SELECT count(*) FROM (SELECT 1 FROM posting WHERE status IN ('HELD', 'READY', 'SENDING', 'UNKNOWN', 'ACCEPTED',
          'REJECTED') LIMIT %(most)s) p) AS on_the_way,
       (SELECT count(*) FROM (SELECT 1 FROM inbox_message WHERE state = 'QUARANTINED' LIMIT %(most)s) q) AS quarantined,
       (SELECT count(*) FROM connection WHERE state <> 'ACTIVE') AS unwell,
       (SELECT min(received_at) FROM inbox_message WHERE state = 'RECEIVED') AS oldest_letter,
       (SELECT max(finished_at) FROM recon_run WHERE finished_at IS NOT NULL) AS reconciled_at,
       (SELECT array_agg(code ORDER BY code) FROM legal_entity) AS entities
"""


@dataclass(frozen=True)
class Shell:
    """What navigation and footer show. Counts stop at ``COUNTED_MAX`` + 1."""

    cases: int
    on_the_way: int
    quarantined: int
    unwell: int
    oldest_letter: datetime | None
    reconciled_at: datetime | None
    entities: Sequence[str] | None


def read_shell() -> Shell:
    """Read the frame's figures, in one query."""
    return Shell(**_one(SHELL, {"most": COUNTED_MAX + 1}))


def _one(statement: str, values: dict[str, Any]) -> dict[str, Any]:
    rows = _rows(statement, values)
    return rows[0]


def _rows(statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# ---- home ------------------------------------------------------------------------------------------------------

# The row without an hour is the sum of all of them: one pass over the postings of a day.
THROUGHPUT = """
SELECT h.hour, coalesce(p.posted, 0) AS posted, p.p50, p.p95, coalesce(r.refused, 0) AS refused
  FROM (SELECT generate_series(date_trunc('hour', %(now)s::timestamptz) - interval '23 hours',
                               date_trunc('hour', %(now)s::timestamptz), interval '1 hour') AS hour
        UNION ALL SELECT NULL) h
  LEFT JOIN (SELECT date_trunc('hour', posted_at) AS hour, count(*) AS posted,
                    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM posted_at - source_ts)) AS p50,
                    percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM posted_at - source_ts)) AS p95
               FROM posting WHERE posted_at >= %(since)s AND (%(entity)s = '' OR entity = %(entity)s)
              GROUP BY GROUPING SETS ((1), ())) p
    ON p.hour IS NOT DISTINCT FROM h.hour
  LEFT JOIN (SELECT date_trunc('hour', a.started_at) AS hour, count(*) AS refused
               FROM posting_attempt a JOIN posting o ON o.id = a.posting_id
              WHERE a.started_at >= %(since)s AND a.outcome = 'REJECTED'
                AND (%(entity)s = '' OR o.entity = %(entity)s) GROUP BY 1) r
    ON r.hour = h.hour
 ORDER BY h.hour NULLS LAST
"""
DESK = """
SELECT count(*) FILTER (WHERE state <> 'RESOLVED') AS standing,
       count(*) FILTER (WHERE state <> 'RESOLVED' AND sla_due_at < %(now)s) AS late,
       count(*) FILTER (WHERE resolved_at >= %(since)s) AS resolved,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM resolved_at - opened_at))
         FILTER (WHERE resolved_at >= %(since)s) AS resolve_p50,
       (SELECT coalesce(sum(replays), 0) FROM inbox_message WHERE replays > 0) AS replays,
       (SELECT count(*) FROM inbox_message WHERE replays > 0 AND state = 'QUARANTINED') AS replays_failed,
       (SELECT coalesce(sum(deliveries - 1), 0) FROM inbox_message WHERE deliveries > 1) AS duplicates_stopped
  FROM exception_case WHERE (state <> 'RESOLVED' OR resolved_at >= %(since)s)
   AND (%(entity)s = '' OR entity IN ('', %(entity)s))
"""
AGEING = """
SELECT CASE WHEN opened_at > %(now)s - interval '4 hours' THEN 0 WHEN opened_at > %(now)s - interval '1 day' THEN 1
            WHEN opened_at > %(now)s - interval '3 days' THEN 2 ELSE 3 END AS band,
       count(*) AS all_of_them, count(*) FILTER (WHERE priority IN ('P1', 'P2')) AS high,
       count(*) FILTER (WHERE priority = 'P3') AS medium, count(*) FILTER (WHERE priority = 'P4') AS low
  FROM exception_case WHERE state <> 'RESOLVED' AND (%(entity)s = '' OR entity IN ('', %(entity)s)) GROUP BY 1
"""
VARIANCE = """
WITH newest AS (SELECT DISTINCT ON (control) id, control FROM recon_run
                 WHERE finished_at IS NOT NULL AND state <> 'FAILED' ORDER BY control, id DESC)
SELECT coalesce(i.system, 'unknown') AS system, c.currency, count(*) AS items,
       sum(abs(v.difference_minor))::bigint AS minor, array_agg(DISTINCT n.control ORDER BY n.control) AS controls
  FROM newest n JOIN recon_variance v ON v.run_id = n.id JOIN recon_cell c ON c.id = v.cell_id
  LEFT JOIN LATERAL (SELECT system FROM recon_item i WHERE i.run_id = n.id AND i.key = v.key
                      ORDER BY side LIMIT 1) i ON true
 WHERE v.break_class NOT IN ('MATCHED', 'IN_TRANSIT', 'TIMING_CUTOFF', 'ROUNDING')
   AND (%(entity)s = '' OR c.entity = %(entity)s)
 GROUP BY 1, 2 ORDER BY 4 DESC LIMIT 12
"""
AGE_BANDS = ("Under 4 h", "4 to 24 h", "1 to 3 d", "Over 3 d")


@dataclass(frozen=True)
class HomeFigures:
    """Everything the home page shows."""

    hours: list[dict[str, Any]]
    latency: dict[str, Any]
    desk: dict[str, Any]
    ages: list[dict[str, Any]]
    variances: list[dict[str, Any]]
    provisioning: list[Progress]

    @property
    def bars(self) -> list[tuple[int, int]]:
        """Posted and refused documents per hour."""
        return [(row["posted"], row["refused"]) for row in self.hours]

    @property
    def refused(self) -> int:
        """Refusals in the hours shown."""
        return sum(row["refused"] for row in self.hours)

    @property
    def bars_label(self) -> str:
        """The chart in one sentence."""
        peak = max(self.hours, key=lambda row: row["posted"])
        return f"Postings per hour, most {peak['posted']} at {peak['hour']:%H:%M} UTC; {self.refused} refused in all"

    @property
    def axis(self) -> list[datetime]:
        """The hours named under the chart."""
        return [self.hours[place]["hour"] for place in (0, 6, 12, 18, HOURS_SHOWN - 1)]

    @property
    def posted_line(self) -> list[int | None]:
        """Documents posted per hour."""
        return [row["posted"] for row in self.hours]

    @property
    def p50_line(self) -> list[int | None]:
        """Median latency per hour, in milliseconds; None where nothing was posted."""
        return [int(row["p50"] * 1000) if row["p50"] is not None else None for row in self.hours]

    @property
    def p95_line(self) -> list[int | None]:
        """Latency per hour that 95 of 100 postings stay below, in milliseconds."""
        return [int(row["p95"] * 1000) if row["p95"] is not None else None for row in self.hours]

    @property
    def oldest_band(self) -> int:
        """The longest of the age bars."""
        return max(row["all_of_them"] for row in self.ages)


def read_home(entity: str) -> HomeFigures:
    """Read the home page for one entity ("" for all), in four queries."""
    now = timezone.now()
    values = {"now": now, "since": now - timedelta(hours=HOURS_SHOWN), "entity": entity}
    *hours, day = _rows(THROUGHPUT, values)
    found = {row["band"]: row for row in _rows(AGEING, values)}
    empty = {"all_of_them": 0, "high": 0, "medium": 0, "low": 0}
    ages = [{"title": title, **(found.get(band) or empty)} for band, title in enumerate(AGE_BANDS)]
    return HomeFigures(
        hours=hours,
        latency=day,
        desk=_one(DESK, values),
        ages=[row | {"parts": _parts(row)} for row in ages],
        variances=_rows(VARIANCE, values),
        provisioning=provisioning(),
    )


def _parts(row: dict[str, Any]) -> list[tuple[str, int]]:
    return [("f-red", row["high"]), ("f-amber", row["medium"]), ("f-gray", row["low"])]


def provisioning() -> list[Progress]:
    """Return what is being set up or failed to be; nothing once everything is ready or where nothing is provisioned."""
    try:
        found = read_all(Home(settings.HOME)) if hasattr(settings, "HOME") else []
    except (OSError, ValueError, TypeError):  # a file half written by another release says nothing
        return []
    return [row for row in found if row.state != "ready"]
