"""The bare Django view: one INSERT per request, no middleware, nothing checked. A WSGI application of its own."""

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from finsync.settings.base import database

TABLE = (
    "CREATE TABLE bare_letter (id bigserial PRIMARY KEY, received_at timestamptz DEFAULT now(), body bytea NOT NULL)"
)

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": database(os.environ["DATABASE_URL"])},
        ROOT_URLCONF="bench.bare",
        SECRET_KEY="unused",  # noqa: S106
        USE_TZ=True,
    )
    django.setup()


def keep(request: HttpRequest) -> HttpResponse:
    """Insert the body as it came; autocommit makes it durable before the answer."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bare_letter (body) VALUES (%s)", [request.body])
    answer = b'{"stored":true}'
    return HttpResponse(answer, headers={"Content-Type": "application/json", "Content-Length": str(len(answer))})


urlpatterns = [path("webhooks/stripe/", keep)]
application = get_wsgi_application()
