"""Django: ``MIDDLEWARE = ["perfcheck.monitor.django.middleware.MonitorMiddleware", ...]`` and, for the API,
``path("api/performance/", include("perfcheck.monitor.django.urls"))``.
"""
