from django.db import migrations

from finsync.audit.sql import attach
from finsync.kit.states import guard

# A change is what auditors read: only its planning columns may move, and it is never deleted.
KEEP_CHANGES = r"""
CREATE FUNCTION canonical_change_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE planning text[] := '{plan_state,plan_explanation,next_action_at,plan_attempts}';
BEGIN
  IF TG_OP <> 'UPDATE' OR (to_jsonb(OLD) - planning) IS DISTINCT FROM (to_jsonb(NEW) - planning) THEN
    RAISE EXCEPTION 'canonical_change is append-only' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER canonical_change_keep BEFORE UPDATE OR DELETE ON canonical_change
  FOR EACH ROW EXECUTE FUNCTION canonical_change_keep();
CREATE TRIGGER canonical_change_keep_all BEFORE TRUNCATE ON canonical_change EXECUTE FUNCTION finsync_append_only();
ALTER TABLE fact SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE aggregate SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
"""
AUDITED = ("customer", "contract", "contract_version", "subscription", "invoice", "invoice_line", "tax_line", "payment",
           "payment_application", "revenue_schedule", "schedule_period")


class Migration(migrations.Migration):
    dependencies = [("canonical", "0001_initial"), ("kit", "0002_states")]
    operations = [
        guard("fact", "fact", "state"),
        migrations.RunSQL(KEEP_CHANGES, migrations.RunSQL.noop),
        attach("legal_entity", key="code"),
        *[attach(table) for table in AUDITED],
    ]
