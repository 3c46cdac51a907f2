from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("alerts", "0003_channels_of_notifications")]

    operations = [migrations.RemoveField(model_name="notification", name="former")]
