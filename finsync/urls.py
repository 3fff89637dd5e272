"""Every address of the site."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("finsync.web.urls")),
    path("", include("exceptions_queue.urls")),
    path("", include("finsync.posting.urls")),
    path("", include("reconciliation.urls")),
    path("", include("connectors.urls")),
    path("", include("finsync.mappings.urls")),
    path("", include("finsync.api")),
]

handler403 = "finsync.web.views.refused"
handler404 = "finsync.web.views.missing"
handler500 = "finsync.web.views.failed"
