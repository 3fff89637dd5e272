from django.db import migrations

from finsync.audit.sql import attach
from finsync.kit.states import guard

# Letters are evidence: what was received never changes and is never deleted, only how far it was processed.
KEEP_LETTERS = r"""
CREATE FUNCTION inbox_message_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'UPDATE' OR (NEW.connection_id, NEW.channel, NEW.event_id, NEW.headers, NEW.body, NEW.sha256,
       NEW.received_at) IS DISTINCT FROM (OLD.connection_id, OLD.channel, OLD.event_id, OLD.headers, OLD.body,
       OLD.sha256, OLD.received_at) THEN
    RAISE EXCEPTION 'a received letter is kept as it came' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER inbox_message_keep BEFORE UPDATE OR DELETE ON inbox_message
  FOR EACH ROW EXECUTE FUNCTION inbox_message_keep();
CREATE TRIGGER inbox_message_keep_all BEFORE TRUNCATE ON inbox_message EXECUTE FUNCTION finsync_append_only();
ALTER TABLE inbox_message SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
"""
# Pace and health change with every call and are no configuration; they stay out of the audit log.
CONNECTION_AUDIT = r"""
CREATE TRIGGER connection_audit AFTER INSERT OR DELETE OR UPDATE OF name, kind, title, roles, entities, real, base_url,
  options, sealed_secrets, state, rate_per_second, concurrency_max, read_timeout_seconds, lease_seconds,
  quiesce_seconds, lag_seconds ON connection
  FOR EACH ROW EXECUTE FUNCTION finsync_audit('{sealed_secrets}', 'id');
"""


class Migration(migrations.Migration):
    dependencies = [("connectors", "0001_initial"), ("kit", "0002_states")]
    operations = [
        guard("inbox_message", "inbox", "state"),
        migrations.RunSQL(KEEP_LETTERS, migrations.RunSQL.noop),
        migrations.RunSQL(CONNECTION_AUDIT, migrations.RunSQL.noop),
        attach("webhook_secret", masked=("sealed",)),
    ]
