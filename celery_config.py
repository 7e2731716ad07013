"""Broker, serialiser, routes and limits of Celery: data only.

The queue is a doorbell: a task carries the id of an account, never a name, an address or a text. Losing it costs one
look of the loop. Reasons for each value: ``docs/operations.md``.
"""

from broadcaster import config

_settings = config.load()

broker_url = _settings.broker_url
broker_transport = "workers.broker:Transport" if broker_url.startswith(("redis://", "rediss://")) else None
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_channel_error_retry = True
broker_transport_options = (
    {"polling_interval": 0.05}
    if _settings.embedded
    else {"socket_timeout": 1, "socket_connect_timeout": 1, "health_check_interval": 10}
)

imports = ("workers.sending",)
task_serializer = "json"
accept_content = ["json"]
task_ignore_result = True
task_store_errors_even_if_ignored = False
task_acks_late = False
task_publish_retry = False
task_default_queue = "broadcaster"
task_soft_time_limit = None
task_time_limit = 300
worker_prefetch_multiplier = 1
worker_soft_shutdown_timeout = 35
worker_hijack_root_logger = False
worker_redirect_stdouts = False
worker_enable_remote_control = False
worker_cancel_long_running_tasks_on_connection_loss = False
enable_utc = True
timezone = "UTC"
