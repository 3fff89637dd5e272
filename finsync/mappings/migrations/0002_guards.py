from django.db import migrations

from finsync.audit.sql import attach
from finsync.kit.states import guard

# Once submitted, a version says the same for ever; it is never deleted once approved.
FREEZE = r"""
CREATE FUNCTION mapping_version_freeze() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.state <> 'DRAFT' THEN
      RAISE EXCEPTION 'mapping version % v% is % and stays', OLD.name, OLD.version, OLD.state
        USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
  END IF;
  IF OLD.state <> 'DRAFT' AND (NEW.name, NEW.kind, NEW.version, NEW.base_version, NEW.document, NEW.content_hash,
       NEW.author_id, NEW.effective_from) IS DISTINCT FROM (OLD.name, OLD.kind, OLD.version, OLD.base_version,
       OLD.document, OLD.content_hash, OLD.author_id, OLD.effective_from) THEN
    RAISE EXCEPTION 'mapping version % v% was submitted: propose a new version instead of editing it', OLD.name, OLD.version
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF OLD.approver_id IS NOT NULL AND (NEW.approver_id, NEW.approved_at) IS DISTINCT FROM (OLD.approver_id, OLD.approved_at) THEN
    RAISE EXCEPTION 'the approval of % v% is final', OLD.name, OLD.version USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER mapping_version_freeze BEFORE UPDATE OR DELETE ON mapping_version
  FOR EACH ROW EXECUTE FUNCTION mapping_version_freeze();
"""


class Migration(migrations.Migration):
    dependencies = [("mappings", "0001_initial"), ("kit", "0002_states")]
    operations = [
        guard("mapping_version", "mapping", "state"),
        migrations.RunSQL(FREEZE, migrations.RunSQL.noop),
        attach("mapping_version"),
    ]
