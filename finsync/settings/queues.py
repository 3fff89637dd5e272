"""Celery carries hints, PostgreSQL owns truth. Every value here is argued in reliability.md 2.3; times in seconds."""

CELERY = {
    "task_acks_late": False,
    "task_reject_on_worker_lost": False,
    "task_ignore_result": True,
    "result_backend": None,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_max_tasks_per_child": 1000,
    "worker_soft_shutdown_timeout": 30,
    "task_soft_time_limit": 90,
    "task_time_limit": 120,  # shorter than a posting's lease of 180 s
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_publish_retry": True,
    "broker_transport_options": {
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "visibility_timeout": 900,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    },
    "accept_content": ["json"],
    "task_serializer": "json",
    "timezone": "UTC",
    "worker_hijack_root_logger": False,
    "task_default_queue": "intake",
}
