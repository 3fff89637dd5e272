from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("kit", "0003_processbeat_jobrun")]
    # Who issued or revoked a token is for the record; last_used_at alone is not, so it is no column of the trigger.
    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER api_token_audit AFTER INSERT OR DELETE OR UPDATE OF owner_id, label, scopes, expires_at, revoked_at"
            " ON api_token FOR EACH ROW EXECUTE FUNCTION finsync_audit('{digest}', 'id')",
            "DROP TRIGGER api_token_audit ON api_token",
        )
    ]
