"""What a claim costs while the backlog grows, with the oldest fifth of it behind one busy key.

Rows are written by SQL without triggers; claims are rolled back, so that each meets the same backlog.
"""

import statistics
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection as database
from django.db import transaction

from bench.figures import Figure, Scale, seconds
from connectors.models import Connection
from connectors.services import normalise
from finsync.audit.services import recording
from finsync.canonical.services import apply
from finsync.posting.services.store import PostgresStore

KEYS = 10_000
LANES_PER_CLAIM = 100
LETTERS_PER_CLAIM = 200
CLAIMS = 15
HOT_SHARE = 5  # one row in five belongs to the busy key: the oldest of each filling

# Every filling begins with the hot key's fifth; the other keys get theirs in turn. What has a lower number is older.
_POSTINGS = """
INSERT INTO posting (connection_id, doc_type, business_key, external_ref, content_hash, entity, currency, amount_minor,
                     document, document_date, accounting_date, original_period, correlation_id, contract_number,
                     customer_key, change_id, lane, status, held_for, status_reason, intent, sends, attempts, lookups,
                     negatives, render_no, fence, next_action_at, resume_id, erp_number, verified_count, source_ts)
SELECT %(connection)s, 'invoice', 'bench:' || n, 'fs' || n, '', 'US01', 'USD', n,
       c.record_body, date '2026-01-15', date '2026-01-15', '', 'cor-' || n, '', 'customer:001', c.id,
       CASE WHEN n < %(hot)s THEN 'hot' ELSE 'key' || n %% %(keys)s END, 'READY', '', '', 'post', 0, 0, 0, 0, 0, 0,
       now() - make_interval(secs => 3600 - n * 0.001), '', '', 0, now()
  FROM generate_series(%(first)s, %(last)s) AS n,
       (SELECT id, jsonb_build_object('record_type', record_type, 'record', record, 'narrative', 'x') AS record_body
          FROM canonical_change ORDER BY id LIMIT 1) c
"""
_LANES = """
INSERT INTO posting_lane_head (connection_id, key, next_action_at, lease_until)
SELECT connection_id, lane, CASE WHEN lane = 'hot' THEN now() + interval '1 hour' ELSE min(next_action_at) END,
       CASE WHEN lane = 'hot' THEN now() + interval '1 hour' END
  FROM posting WHERE connection_id = %(connection)s AND status = 'READY' GROUP BY connection_id, lane
ON CONFLICT (connection_id, key) DO NOTHING
"""
_AGGREGATES = """
INSERT INTO aggregate (key, record_type, content_hash, failures, blocked, blocked_reason, next_action_at)
SELECT DISTINCT aggregate_key, 'customer', '', 0, false, '',
       now() - CASE aggregate_key WHEN 'customer:hot' THEN interval '2 hours' ELSE interval '1 hour' END
  FROM fact WHERE state = 'PENDING'
ON CONFLICT (key) DO NOTHING
"""
_FACTS = """
INSERT INTO fact (aggregate_key, record_type, source_system, ordinal, version_kind, content_hash, record, origin, state,
                  explanation)
SELECT 'customer:' || CASE WHEN n < %(hot)s THEN 'hot' ELSE (n %% %(keys)s)::text END, 'customer', 'salesforce', n,
       'MONOTONE', '', '{}', n, 'PENDING', ''
  FROM generate_series(%(first)s, %(last)s) AS n
"""
_LETTERS = """
INSERT INTO inbox_message (connection_id, channel, event_id, object, headers, body, sha256, next_action_at)
SELECT %(connection)s, 'webhook', 'bench' || n, 'invoice.finalized', '{}', '\\x7b7d', '',
       now() - make_interval(secs => 3600 - n * 0.001)
  FROM generate_series(%(first)s, %(last)s) AS n
"""
_TABLES = ("posting", "posting_lane_head", "aggregate", "fact", "inbox_message")


def measure(scale: Scale, say: Callable[[str], None]) -> list[Figure]:
    """Return, per kind of claim, the figure of each backlog against the smallest."""
    target = _target()
    took: dict[str, list[float]] = {name: [] for name in _CLAIMS}
    filled = 0
    for pending in scale.pending:
        say(f"claims: filling up to {pending:,} pending of each kind")
        _fill(target, filled + 1, pending)
        filled = pending
        say(f"claims: {CLAIMS} claims of each kind at {pending:,} pending, hot key busy")
        with _hot_key_busy():
            for name, claim in _CLAIMS.items():
                took[name].append(_median_ms(lambda claim=claim: claim(target)))  # type: ignore[misc]
    return [
        Figure(
            job=f"claim of {name}, {pending:,} pending, hot key busy",
            against=f"the same at {scale.pending[0]:,}",
            unit="ms/claim",
            ours=at,
            bare=times[0],
            reach=1.5,
        )
        for name, times in took.items()
        for pending, at in zip(scale.pending[1:], times[1:], strict=True)
    ]


def _target() -> Connection:
    from bench.pipeline import company_is_known

    company_is_known()
    with recording("system:bench"):
        return Connection.objects.create(
            name="simulated", kind="simulated_erp", title="Simulated ERP", roles=["erp"], base_url="http://127.0.0.1:1",
            rate_per_second=100_000, tokens=100_000, concurrency_max=1_000, concurrency_now=1_000,
        )  # fmt: skip


def _fill(target: Connection, first: int, last: int) -> None:
    values = {
        "connection": target.pk,
        "first": first,
        "last": last,
        "keys": KEYS,
        "hot": first + (last - first) // HOT_SHARE,
    }
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in (_POSTINGS, _LANES, _FACTS, _AGGREGATES, _LETTERS):
            cursor.execute(statement, values)
    with database.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {', '.join(_TABLES)}")


@contextmanager
def _hot_key_busy() -> Any:
    """Hold the hot aggregate's row, as a worker does that applies it; the hot posting lane is leased by its row."""
    params = database.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(name, None)
    with psycopg.connect(**params) as other:
        other.execute("SELECT 1 FROM aggregate WHERE key = 'customer:hot' FOR UPDATE")
        yield
        other.rollback()


def _median_ms(claim: Callable[[], None]) -> float:
    times = [1000 * seconds(lambda: _rolled_back(claim)) for _ in range(CLAIMS + 3)]
    return statistics.median(times[3:])  # the first pay for plans and cold pages


def _rolled_back(claim: Callable[[], None]) -> None:
    with transaction.atomic():
        claim()
        transaction.set_rollback(True)


def _claim_postings(target: Connection) -> None:
    claimed = PostgresStore("bench").claim(
        target.pk, LANES_PER_CLAIM, lambda document: {"number": document.business_key}
    )
    assert len(claimed.claims) == LANES_PER_CLAIM, f"{len(claimed.claims)} claimed"


def _claim_facts(target: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute(apply.CLAIM, [LANES_PER_CLAIM])
        keys = [row[0] for row in cursor.fetchall()]
        assert len(keys) == LANES_PER_CLAIM and "customer:hot" not in keys
        cursor.execute(apply.WAITING, [keys, 1])
        assert cursor.rowcount == LANES_PER_CLAIM


def _claim_letters(target: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute(normalise.CLAIM, [LETTERS_PER_CLAIM])
        assert cursor.rowcount == LETTERS_PER_CLAIM


_CLAIMS: dict[str, Callable[[Connection], None]] = {
    f"{LANES_PER_CLAIM} posting lanes with their first posting": _claim_postings,
    f"{LANES_PER_CLAIM} fact lanes with their first fact": _claim_facts,
    f"{LETTERS_PER_CLAIM} letters": _claim_letters,
}
