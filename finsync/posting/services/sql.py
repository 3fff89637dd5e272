"""The statements of the posting store. ``{clock}`` is the database's clock; reliability.md R10.

``statement`` functions take the clock's SQL expression so that tests can simulate time in the same statements.
"""

from functools import cache
from typing import Any

from psycopg.types.json import Jsonb

from finsync.core.lifecycle import PostingState
from finsync.core.posting import Move
from finsync.posting.machine import Note, Ticket

SUCCESS_NOTED_EVERY_SECONDS = 5  # a busy route's row is not rewritten with every success
OUTCOME_CHARACTERS_MAX = 20
ANSWERED = (PostingState.POSTED, PostingState.ACCEPTED, PostingState.REJECTED)

# What is read of a posting wherever it is taken: the row, its journal, its references, its first send and its doubt.
_COLUMNS = """
 p.id, p.connection_id, p.doc_type, p.business_key, p.external_ref, p.entity, p.currency, p.amount_minor,
 p.document::text AS document, p.document_date, p.accounting_date, p.original_period, p.correlation_id,
 p.contract_number, p.contract_version, p.customer_key, p.lane, p.status, p.status_reason, p.intent, p.sends,
 p.attempts, p.lookups, p.negatives, p.first_negative_at, p.last_lease_until, p.fence, p.next_action_at, p.resume_id,
 p.erp_document_id, p.verified_count,
 (SELECT json_agg(json_build_object('account', l.account, 'side', l.side, 'amount_minor', l.amount_minor,
    'currency', l.currency, 'rule_id', l.rule_id, 'source_line', l.source_line, 'mapping_set', l.mapping_set,
    'row_id', l.row_id, 'dimensions', l.dimensions) ORDER BY l.line_no)::text
    FROM posting_line l WHERE l.posting_id = p.id) AS lines,
 (SELECT json_object_agg(n.role, n.document_id)::text
    FROM posting_need n WHERE n.posting_id = p.id AND n.document_id <> '') AS reference_ids
"""
_DOUBT = """
 (SELECT min(a.started_at) FROM posting_attempt a WHERE a.posting_id = p.id AND a.kind = 'SEND') AS first_sent_at,
 (SELECT m.at FROM posting_move m WHERE m.posting_id = p.id AND m.too = p.status ORDER BY m.id DESC LIMIT 1)
   AS doubtful_since
"""

# ---- claiming: lanes first, then in a second statement (a newer snapshot) the first ready posting of each ------

DUE_LANES = """
SELECT id, key FROM posting_lane_head
 WHERE connection_id = %(connection)s AND next_action_at <= %(now)s
   AND (lease_until IS NULL OR lease_until <= %(now)s)
 ORDER BY next_action_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
HEADS = f"""
SELECT {_COLUMNS}, NULL AS first_sent_at, NULL AS doubtful_since
  FROM unnest(%(keys)s::text[]) AS wanted(key)
 CROSS JOIN LATERAL (
   SELECT * FROM posting q
    WHERE q.connection_id = %(connection)s AND q.lane = wanted.key AND q.status = 'READY'
    ORDER BY q.id LIMIT 1 FOR UPDATE SKIP LOCKED) p
"""  # noqa: S608
REST_LANE = "UPDATE posting_lane_head SET next_action_at = %s, lease_until = NULL WHERE id = %s"
# One statement takes them all: lease and fence of each posting, its attempt, its lane, and the route's pace.
TAKE = """
WITH taken AS (
  UPDATE posting SET status = 'SENDING', status_reason = '', fence = fence + 1, sends = sends + 1,
         attempts = attempts + 1, lookups = 0, negatives = 0, first_negative_at = NULL, lease_owner = %(owner)s,
         lease_until = %(now)s + make_interval(secs => %(lease)s),
         last_lease_until = %(now)s + make_interval(secs => %(lease)s),
         next_action_at = %(now)s + make_interval(secs => %(lease)s), verify_at = NULL
   WHERE id = ANY(%(ids)s) AND status = 'READY'
  RETURNING id, fence, sends, attempts, lease_until),
opened AS (
  INSERT INTO posting_attempt (posting_id, fence, kind, owner, started_at, request, request_hash, detail, response)
  SELECT taken.id, taken.fence, 'SEND', %(owner)s, %(now)s, sent.body::jsonb, sent.hash, '', '{}'
    FROM taken JOIN unnest(%(ids)s::bigint[], %(bodies)s::text[], %(hashes)s::text[]) AS sent(id, body, hash)
      ON sent.id = taken.id),
leased AS (
  UPDATE posting_lane_head SET lease_until = %(now)s + make_interval(secs => %(lease)s),
         next_action_at = %(now)s + make_interval(secs => %(lease)s) WHERE id = ANY(%(lanes)s)),
paced AS (
  UPDATE connection SET tokens = %(tokens)s, tokens_at = %(tokens_at)s, concurrency_now = %(concurrency)s,
         concurrency_changed_at = %(concurrency_changed_at)s WHERE id = %(connection)s)
SELECT * FROM taken
"""
WAKE_LANE = """
INSERT INTO posting_lane_head (connection_id, key, next_action_at)
SELECT connection_id, lane, next_action_at FROM posting WHERE id = %s AND status = 'READY'
ON CONFLICT (connection_id, key) DO UPDATE
   SET next_action_at = least(posting_lane_head.next_action_at, excluded.next_action_at)
"""

# ---- moving ----------------------------------------------------------------------------------------------------


@cache
def move(clock: str) -> str:
    """Return the compare-and-set that applies any move, with all that goes with it in the same statement.

    It names the actor, ends the attempt, frees the lane, notes that the route works, and gives the target's id to the
    documents that wait for it. One statement because this is the hot path: alone it is its own transaction.
    A lane woken during the send keeps that earlier time: its posting may be newer than this statement's snapshot.
    """
    return f"""
WITH actor AS MATERIALIZED (SELECT set_config('finsync.actor', %(actor)s, true) AS name), moved AS (
  UPDATE posting SET status = %(to)s::text, status_reason = %(reason)s, exception_code = %(code)s, lease_owner = NULL,
         lease_until = NULL, next_action_at = {clock} + make_interval(secs => %(next)s), fence = fence + %(bump)s,
         attempts = CASE WHEN %(fresh)s THEN 0 ELSE greatest(attempts - %(refund)s, 0) END,
         intent = coalesce(%(intent)s, intent), resume_id = coalesce(%(resume_id)s, resume_id), lookups = %(lookups)s,
         negatives = %(negatives)s, first_negative_at = %(first_negative_at)s, erp_document_id = %(document_id)s,
         erp_number = %(number)s, posted_at = CASE WHEN %(to)s::text = 'POSTED' THEN {clock} END,
         verify_at = {clock} + make_interval(secs => %(verify)s), verified_count = 0
    FROM actor
   WHERE id = %(id)s AND fence = %(fence)s AND status = %(frm)s AND actor.name <> ''
     AND (NOT %(while_leased)s OR lease_until > {clock})
  RETURNING id, connection_id, lane, doc_type, business_key, next_action_at),
closed AS (
  UPDATE posting_attempt a SET finished_at = clock_timestamp(), outcome = %(outcome)s, detail = %(detail)s,
         http_status = %(http_status)s, elapsed_ms = %(elapsed_ms)s, retry_after_seconds = %(retry_after)s,
         response = %(response)s
    FROM moved
   WHERE a.posting_id = %(id)s AND a.fence = %(fence)s AND a.kind = %(kind)s AND a.outcome IS NULL),
needed AS MATERIALIZED (
  SELECT n.id AS need_id, n.posting_id, moved.connection_id
    FROM moved JOIN posting_need n ON n.business_key = moved.business_key AND n.doc_type = moved.doc_type
   WHERE %(to)s::text = 'POSTED' AND n.met_at IS NULL),
waiting AS (
  SELECT h.id, needed.need_id
    FROM needed JOIN posting h ON h.id = needed.posting_id AND h.connection_id = needed.connection_id
   WHERE h.status || '' = 'HELD'  -- found by id: an index on the state would walk through everything that is held
   ORDER BY h.id FOR UPDATE OF h),
woken AS (
  UPDATE posting h SET next_action_at = clock_timestamp() FROM waiting WHERE h.id = waiting.id),
met AS (
  UPDATE posting_need n SET met_at = clock_timestamp(), document_id = %(document_id)s
    FROM waiting WHERE n.id = waiting.need_id),
freed AS (
  UPDATE posting_lane_head h SET lease_until = NULL,
         next_action_at = CASE WHEN h.next_action_at < h.lease_until THEN h.next_action_at ELSE least(
           CASE WHEN %(to)s::text = 'READY' THEN moved.next_action_at END,
           (SELECT q.next_action_at FROM posting q WHERE q.connection_id = h.connection_id AND q.lane = h.key
               AND q.status = 'READY' ORDER BY q.id LIMIT 1)) END
    FROM moved WHERE h.id = %(lane)s AND h.lease_until = %(lease_until)s),
works AS (
  UPDATE connection c SET failures_in_a_row = 0, last_success_at = clock_timestamp()
    FROM moved WHERE c.id = moved.connection_id AND %(route_works)s
     AND (c.failures_in_a_row > 0 OR c.last_success_at IS NULL
          OR c.last_success_at < clock_timestamp() - make_interval(secs => {SUCCESS_NOTED_EVERY_SECONDS})))
SELECT id FROM moved
"""  # noqa: S608


def move_values(actor: str, ticket: Ticket, wanted: Move, note: Note) -> dict[str, Any]:
    """Return the parameters of ``move``. A move without an attempt (a person's, the router's) makes the fence grow."""
    sent = ticket.attempt == "SEND"
    parked = wanted.to in (PostingState.EXCEPTION, PostingState.REJECTED)
    return {
        "actor": actor,
        "id": ticket.subject.posting_id,
        "fence": ticket.fence,
        "frm": ticket.standing.state.value,
        "to": wanted.to.value,
        "reason": wanted.reason.replace("\x00", "\ufffd"),
        "code": wanted.code if parked else None,
        "next": wanted.next_seconds,
        "fresh": wanted.fresh,
        "refund": 1 if wanted.refund_attempt else 0,
        "intent": wanted.intent,
        "resume_id": wanted.resume_id,
        "lookups": wanted.lookups,
        "negatives": wanted.negatives,
        "first_negative_at": wanted.first_negative_at,
        "document_id": wanted.document_id or None,
        "number": wanted.number,
        "verify": wanted.verify_seconds,
        "while_leased": wanted.while_leased,
        "bump": 0 if ticket.attempt else 1,
        "lane": ticket.lane_id if sent else None,
        "lease_until": ticket.lease_until,
        "route_works": sent and wanted.to in ANSWERED,
        **closing(ticket, note),
    }


def closing(ticket: Ticket, note: Note) -> dict[str, Any]:
    """Return the parameters that end an attempt."""
    return {
        "id": ticket.subject.posting_id,
        "fence": ticket.fence,
        "kind": ticket.attempt,
        "outcome": note.outcome[:OUTCOME_CHARACTERS_MAX],
        "detail": note.detail.replace("\x00", "\ufffd"),
        "http_status": note.http_status,
        "elapsed_ms": note.elapsed_ms,
        "retry_after": note.retry_after_seconds,
        "response": Jsonb(dict(note.response)),
    }


CLOSE_ATTEMPT = """
UPDATE posting_attempt SET finished_at = clock_timestamp(), outcome = %(outcome)s, detail = %(detail)s,
       http_status = %(http_status)s, elapsed_ms = %(elapsed_ms)s, retry_after_seconds = %(retry_after)s,
       response = %(response)s
 WHERE posting_id = %(id)s AND fence = %(fence)s AND kind = %(kind)s AND outcome IS NULL
"""

# ---- doubt -----------------------------------------------------------------------------------------------------


@cache
def expire(clock: str) -> str:
    """Return the statement that turns ended leases into doubt."""
    return f"""
UPDATE posting SET status = 'UNKNOWN', status_reason = %(reason)s, fence = fence + 1, lease_owner = NULL,
       lease_until = NULL, next_action_at = {clock} + make_interval(secs => %(next)s)
 WHERE id IN (SELECT id FROM posting WHERE status = 'SENDING' AND next_action_at <= {clock} AND lease_until <= {clock}
               ORDER BY next_action_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING id
"""  # noqa: S608


CLOSE_EXPIRED = """
UPDATE posting_attempt SET finished_at = clock_timestamp(), outcome = 'LEASE_EXPIRED'
 WHERE posting_id = ANY(%s) AND kind = 'SEND' AND outcome IS NULL
"""
CLOSE_LOST_LOOKUP = """
UPDATE posting_attempt SET finished_at = clock_timestamp(), outcome = 'LOST'
 WHERE posting_id = %s AND kind <> 'SEND' AND outcome IS NULL
"""
OPEN_LOOKUP = """
INSERT INTO posting_attempt (posting_id, fence, kind, owner, started_at, request, request_hash, detail, response)
VALUES (%s, %s, %s, %s, %s, '{}', '', '', '{}')
"""


@cache
def take_doubts(clock: str) -> str:
    """Return the statement that takes due doubts of working (or paused) routes; the fence makes one janitor win."""
    return f"""
WITH now AS MATERIALIZED (SELECT {clock} AS at), due AS (
  SELECT q.id FROM posting q JOIN connection c ON c.id = q.connection_id
   WHERE q.status IN ('UNKNOWN', 'ACCEPTED') AND q.next_action_at <= (SELECT at FROM now)
     AND (c.state = 'ACTIVE') = %(working)s AND (c.not_before IS NULL OR c.not_before <= (SELECT at FROM now))
   ORDER BY q.next_action_at LIMIT %(limit)s FOR UPDATE OF q SKIP LOCKED)
UPDATE posting p SET fence = p.fence + 1,
       next_action_at = (SELECT at FROM now) + make_interval(secs => %(lease)s)
  FROM due WHERE p.id = due.id
RETURNING {_COLUMNS}, {_DOUBT}, (SELECT at FROM now) AS now
"""  # noqa: S608


@cache
def take_verifications(clock: str) -> str:
    """Return the statement that takes settled postings whose verification is due."""
    return f"""
WITH now AS MATERIALIZED (SELECT {clock} AS at), due AS (
  SELECT q.id FROM posting q JOIN connection c ON c.id = q.connection_id
   WHERE q.verify_at <= (SELECT at FROM now) AND q.status IN ('POSTED', 'CANCELLED', 'EXCEPTION')
     AND c.state = 'ACTIVE' AND (c.not_before IS NULL OR c.not_before <= (SELECT at FROM now))
   ORDER BY q.verify_at LIMIT %(limit)s FOR UPDATE OF q SKIP LOCKED)
UPDATE posting p SET fence = p.fence + 1, verify_at = (SELECT at FROM now) + make_interval(secs => %(lease)s)
  FROM due WHERE p.id = due.id
RETURNING {_COLUMNS}, {_DOUBT}, (SELECT at FROM now) AS now
"""  # noqa: S608


@cache
def verified(clock: str) -> str:
    """Return the compare-and-set that keeps a verification; it touches no state."""
    return f"""
UPDATE posting SET verified_count = verified_count + %(counted)s,
       verify_at = {clock} + make_interval(secs => %(next)s)
 WHERE id = %(id)s AND fence = %(fence)s AND status = %(state)s
"""  # noqa: S608


TELL = "UPDATE posting SET status_reason = %s WHERE id = %s AND status = 'EXCEPTION'"
WAKE_DOUBTS = """
UPDATE posting SET next_action_at = clock_timestamp()
 WHERE connection_id = %s AND status IN ('UNKNOWN', 'ACCEPTED') AND next_action_at > clock_timestamp()
"""
REJECTED_DUE = f"""
SELECT {_COLUMNS}, NULL AS first_sent_at, NULL AS doubtful_since, clock_timestamp() AS now, p.exception_code
  FROM posting p WHERE p.status = 'REJECTED' AND p.next_action_at <= clock_timestamp()
 ORDER BY p.next_action_at LIMIT %s FOR UPDATE SKIP LOCKED
"""  # noqa: S608
ONE = f"""
SELECT {_COLUMNS}, {_DOUBT}, clock_timestamp() AS now FROM posting p WHERE p.id = %s FOR UPDATE
"""  # noqa: S608
DUE_CONNECTIONS = """
SELECT c.id FROM connection c
 WHERE c.state = 'ACTIVE' AND (c.not_before IS NULL OR c.not_before <= statement_timestamp())
   AND EXISTS (SELECT 1 FROM posting_lane_head l
                WHERE l.connection_id = c.id AND l.next_action_at <= statement_timestamp())
 ORDER BY c.last_success_at NULLS FIRST
"""
