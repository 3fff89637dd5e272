"""WSGI entry point: the webhook door in front, Django behind it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finsync.settings.local")

django_application = get_wsgi_application()

from connectors.door import WebhookDoor  # noqa: E402  (needs Django's apps)

application = WebhookDoor(django_application)
