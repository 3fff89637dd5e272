from django.db import migrations

from finsync.audit.sql import append_only

# reliability.md 3.4: I8 (legal moves, fence monotone, frozen columns, one row per move, no delete), I9 (balance), I10.
MACHINE = r"""
CREATE FUNCTION posting_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'UPDATE' THEN
    RAISE EXCEPTION 'posting %: nothing is deleted', OLD.id USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF NEW.fence < OLD.fence THEN
    RAISE EXCEPTION 'posting %: fence % may not fall below %', OLD.id, NEW.fence, OLD.fence USING ERRCODE = 'check_violation';
  END IF;
  IF (NEW.connection_id, NEW.doc_type, NEW.business_key, NEW.external_ref, NEW.change_id, NEW.reverses_id)
     IS DISTINCT FROM (OLD.connection_id, OLD.doc_type, OLD.business_key, OLD.external_ref, OLD.change_id, OLD.reverses_id)
     OR (OLD.sends > 0 AND (NEW.entity, NEW.currency, NEW.amount_minor) IS DISTINCT FROM (OLD.entity, OLD.currency, OLD.amount_minor)) THEN
    RAISE EXCEPTION 'posting %: reference, entity, amount and currency are frozen', OLD.id USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.sends > 0 AND NEW.sends < OLD.sends THEN
    RAISE EXCEPTION 'posting %: a send cannot be taken back', OLD.id USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.status IN ('POSTED', 'CANCELLED') THEN
    IF NEW.status <> OLD.status OR (NEW.document, NEW.erp_document_id, NEW.posted_at, NEW.content_hash)
         IS DISTINCT FROM (OLD.document, OLD.erp_document_id, OLD.posted_at, OLD.content_hash) THEN
      RAISE EXCEPTION 'posting %: % is final; post a reversal instead', OLD.id, OLD.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.status <> OLD.status THEN
    IF NOT EXISTS (SELECT 1 FROM state_rule r WHERE r.machine = 'posting' AND r.frm = OLD.status AND r.too = NEW.status) THEN
      RAISE EXCEPTION 'posting %: % to % is not a legal move', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.sends > 0 AND NEW.status IN ('READY', 'CANCELLED') AND OLD.status IN ('EXCEPTION', 'READY') THEN
      RAISE EXCEPTION 'posting %: it was sent before and must be looked up first', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO posting_move (posting_id, at, actor, frm, too, fence, reason)
    VALUES (OLD.id, clock_timestamp(), finsync_actor(), OLD.status, NEW.status, NEW.fence, NEW.status_reason);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER posting_guard BEFORE UPDATE OR DELETE ON posting FOR EACH ROW EXECUTE FUNCTION posting_guard();
CREATE TRIGGER posting_keep_all BEFORE TRUNCATE ON posting EXECUTE FUNCTION finsync_append_only();

CREATE FUNCTION posting_attempt_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'UPDATE' OR OLD.outcome IS NOT NULL OR (NEW.posting_id, NEW.fence, NEW.kind, NEW.owner, NEW.started_at, NEW.request,
       NEW.request_hash) IS DISTINCT FROM (OLD.posting_id, OLD.fence, OLD.kind, OLD.owner, OLD.started_at, OLD.request, OLD.request_hash) THEN
    RAISE EXCEPTION 'an attempt is kept as it happened' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER posting_attempt_guard BEFORE UPDATE OR DELETE ON posting_attempt FOR EACH ROW EXECUTE FUNCTION posting_attempt_guard();
CREATE TRIGGER posting_attempt_keep_all BEFORE TRUNCATE ON posting_attempt EXECUTE FUNCTION finsync_append_only();

CREATE FUNCTION posting_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE off record;
BEGIN
  SELECT l.currency, sum(CASE l.side WHEN 'DR' THEN l.amount_minor ELSE -l.amount_minor END) AS difference INTO off
    FROM posting_line l WHERE l.posting_id = coalesce(NEW.posting_id, OLD.posting_id)
   GROUP BY l.currency HAVING sum(CASE l.side WHEN 'DR' THEN l.amount_minor ELSE -l.amount_minor END) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'posting %: debits and credits differ by % minor units of %', coalesce(NEW.posting_id, OLD.posting_id),
      off.difference, off.currency USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER posting_line_balance AFTER INSERT OR UPDATE OR DELETE ON posting_line
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION posting_balance();

CREATE FUNCTION posting_line_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE stands posting;
BEGIN
  SELECT * INTO stands FROM posting WHERE id = OLD.posting_id;
  IF stands.status NOT IN ('HELD', 'EXCEPTION') THEN
    RAISE EXCEPTION 'posting %: lines may be rendered again only while held or in exception', OLD.posting_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER posting_line_guard BEFORE UPDATE OR DELETE ON posting_line FOR EACH ROW EXECUTE FUNCTION posting_line_guard();

-- I10: whatever is posted was mapped by an approved version.
CREATE FUNCTION posting_mapping_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.mapping_version_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM mapping_version m WHERE m.id = NEW.mapping_version_id
       AND m.approver_id IS NOT NULL AND m.state IN ('APPROVED', 'CANARY', 'ACTIVE', 'RETIRED')) THEN
    RAISE EXCEPTION 'posting uses mapping version % that nobody approved', NEW.mapping_version_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER posting_mapping_guard BEFORE INSERT OR UPDATE OF mapping_version_id ON posting
  FOR EACH ROW EXECUTE FUNCTION posting_mapping_guard();

ALTER TABLE posting SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE posting_lane_head SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Moves are the posting's audit trail; its creation is audited like any other row.
CREATE TRIGGER posting_audit AFTER INSERT ON posting FOR EACH ROW EXECUTE FUNCTION finsync_audit('{document}', 'id');
"""


class Migration(migrations.Migration):
    dependencies = [("posting", "0001_initial"), ("kit", "0002_states"), ("mappings", "0002_guards")]
    operations = [
        migrations.RunSQL(MACHINE, migrations.RunSQL.noop),
        append_only("posting_move"),
    ]
