from django.db import migrations


def rename(apps, schema_editor):
    """What was called `write` (reads, orders runs) is called `deliver`."""
    apps.get_model("access", "Token").objects.filter(purpose="write").update(purpose="deliver")


class Migration(migrations.Migration):
    dependencies = [("access", "0002_token_purposes")]

    operations = [migrations.RunPython(rename, migrations.RunPython.noop)]
