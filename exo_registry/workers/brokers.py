"""The task queue's brokers, django-q's own but for heartbeats: kept for a minute, with the queue that a cluster works.

django-q forgets a heartbeat after 3 seconds, which a busy machine may take between two, and does not say whose it is.
"""

from django.core.cache import cache
from django_q.brokers.orm import ORM
from django_q.brokers.redis_broker import Redis
from django_q.conf import Conf

from .heartbeats import KEPT, queue_key

CONNECT_TIMEOUT, ANSWER_TIMEOUT = 3, 10  # seconds; a worker waits 1 s for a task


class OrmBroker(ORM):
    """Tasks in the database, heartbeats in the cache."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key=list_key)
        self.queue = list_key or Conf.CLUSTER_NAME

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        super().set_stat(key, value, KEPT)
        self.cache.set(queue_key(key), self.queue, KEPT)

    def get_stats(self, pattern: str) -> list:
        return list(self.cache.get_many(self.cache.get(Conf.Q_STAT) or []).values())


class RedisBroker(Redis):
    """Tasks and heartbeats in Redis."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key=list_key)
        self.queue = list_key or Conf.CLUSTER_NAME

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        super().set_stat(key, value, KEPT)
        cache.set(queue_key(key), self.queue, KEPT)

    @staticmethod
    def get_connection(list_key: str | None = None):
        import redis

        return redis.from_url(Conf.REDIS, socket_connect_timeout=CONNECT_TIMEOUT, socket_timeout=ANSWER_TIMEOUT)
