"""The audit triggers. Migrations of any room attach them with ``attach("table", masked=(...))``."""

from django.db import migrations

FUNCTIONS = r"""
CREATE FUNCTION finsync_actor() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE actor text := current_setting('finsync.actor', true);
BEGIN
  IF actor IS NULL OR actor = '' THEN
    RAISE EXCEPTION 'no actor is set for this change'
      USING HINT = 'write inside finsync.audit.services.recording(actor)', ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN actor;
END $$;

CREATE FUNCTION finsync_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  masked text[] := TG_ARGV[0]::text[];
  key text := TG_ARGV[1];
  before jsonb; after jsonb; old_part jsonb; new_part jsonb; pk text;
BEGIN
  IF TG_OP <> 'INSERT' THEN before := to_jsonb(OLD); END IF;
  IF TG_OP <> 'DELETE' THEN after := to_jsonb(NEW); END IF;
  pk := coalesce(after, before) ->> key;
  IF TG_OP = 'UPDATE' THEN
    SELECT jsonb_object_agg(a.key, before -> a.key), jsonb_object_agg(a.key, a.value)
      INTO old_part, new_part
      FROM jsonb_each(after) a WHERE a.value IS DISTINCT FROM before -> a.key;
    IF new_part IS NULL THEN RETURN NULL; END IF;
  ELSE
    old_part := before; new_part := after;
  END IF;
  FOR i IN 1 .. coalesce(array_length(masked, 1), 0) LOOP
    IF old_part ? masked[i] THEN old_part := jsonb_set(old_part, ARRAY[masked[i]], '"(masked)"'); END IF;
    IF new_part ? masked[i] THEN new_part := jsonb_set(new_part, ARRAY[masked[i]], '"(masked)"'); END IF;
  END LOOP;
  INSERT INTO audit_log
    (at, actor, on_behalf_of, correlation_id, table_name, row_pk, operation, old, new, transaction_id)
  VALUES (clock_timestamp(), finsync_actor(), coalesce(current_setting('finsync.on_behalf_of', true), ''),
          coalesce(current_setting('finsync.correlation_id', true), ''), TG_TABLE_NAME, pk, TG_OP, old_part, new_part,
          txid_current());
  RETURN NULL;
END $$;

CREATE FUNCTION finsync_audit_canonical(entry audit_log) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT convert_to(jsonb_build_array(entry.id, (extract(epoch FROM entry.at) * 1000000)::bigint, entry.actor,
    entry.on_behalf_of, entry.correlation_id, entry.table_name, entry.row_pk, entry.operation, entry.old, entry.new,
    entry.transaction_id)::text, 'UTF8')
$$;

-- Runs at commit, once per transaction in effect: the first call seals every entry of the transaction, so the head
-- row is locked last and briefly, and one transaction touches one chain only (no deadlock between chains).
CREATE FUNCTION finsync_audit_seal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  which smallint := (txid_current() % 16)::smallint;
  head audit_head; entry audit_log; link bytea; n bigint;
BEGIN
  IF EXISTS (SELECT 1 FROM audit_link WHERE entry_id = NEW.id) THEN RETURN NULL; END IF;
  SELECT * INTO head FROM audit_head WHERE chain = which FOR UPDATE;
  link := head.hash; n := head.sequence;
  FOR entry IN SELECT a.* FROM audit_log a WHERE a.transaction_id = txid_current()
               AND NOT EXISTS (SELECT 1 FROM audit_link l WHERE l.entry_id = a.id) ORDER BY a.id LOOP
    n := n + 1;
    link := sha256(link || finsync_audit_canonical(entry));
    INSERT INTO audit_link (entry_id, chain, sequence, hash) VALUES (entry.id, which, n, link);
  END LOOP;
  UPDATE audit_head SET sequence = n, hash = link WHERE chain = which;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER audit_log_seal AFTER INSERT ON audit_log
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION finsync_audit_seal();

CREATE FUNCTION finsync_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_log_keep BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION finsync_append_only();
CREATE TRIGGER audit_log_keep_all BEFORE TRUNCATE ON audit_log EXECUTE FUNCTION finsync_append_only();
CREATE TRIGGER audit_link_keep BEFORE UPDATE OR DELETE ON audit_link
  FOR EACH ROW EXECUTE FUNCTION finsync_append_only();
CREATE TRIGGER audit_link_keep_all BEFORE TRUNCATE ON audit_link EXECUTE FUNCTION finsync_append_only();
INSERT INTO audit_head (chain, sequence, hash) SELECT n, 0, sha256(convert_to('finsync audit chain ' || n, 'UTF8'))
  FROM generate_series(0, 15) n;
"""


def attach(table: str, *, masked: tuple[str, ...] = (), key: str = "id") -> migrations.RunSQL:
    """Return the migration step that audits every insert, update and delete of ``table``.

    ``masked`` columns are written as "(masked)": secrets never reach the log. ``key`` is the primary key column.
    """
    columns = "{" + ",".join(masked) + "}"
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_audit AFTER INSERT OR UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION finsync_audit('{columns}', '{key}')",
        f"DROP TRIGGER {table}_audit ON {table}",
    )


def append_only(table: str) -> migrations.RunSQL:
    """Return the migration step that refuses UPDATE, DELETE and TRUNCATE of ``table`` for everyone."""
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION finsync_append_only(); "
        f"CREATE TRIGGER {table}_keep_all BEFORE TRUNCATE ON {table} EXECUTE FUNCTION finsync_append_only()",
        f"DROP TRIGGER {table}_keep ON {table}; DROP TRIGGER {table}_keep_all ON {table}",
    )
