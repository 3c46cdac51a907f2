"""What a worker may do at the broker: its wake-up queues, and nothing of the site's.

A worker's box runs code of watched repositories.  Who reads its broker password there must not be able to
read or send the site's tasks, nor to see which keys there are.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlsplit

import redis

from perfsite.core.errors import PerfsiteError
from workers.messages import WAKE_PREFIX

USER = "perfsite-worker"
COMMANDS = (
    "ping", "echo", "auth", "hello", "select", "multi", "exec", "discard", "watch", "unwatch",
    "brpop", "rpop", "lpush", "rpush", "llen", "sadd", "srem", "smembers", "hset", "hget", "hdel", "hlen",
    "zadd", "zrem", "zrange", "zrangebyscore", "zrevrangebyscore", "zscore", "zremrangebyscore", "zcard",
    "set", "get", "del", "exists", "expire", "pexpire", "pttl", "eval", "evalsha", "script|load", "time",
)  # fmt: skip
"""What a consumer and kombu's own housekeeping send; none of them lists keys.

Not `CLIENT SETINFO`, which names the client's library: servers before 7.2 do not know it, and it may fail."""


def acl_words(secret: str) -> list[str]:
    """The rules of the worker's user as `ACL SETUSER` and a line of an ACL file take them."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    allowed = [f"+{name}" for name in COMMANDS]
    return ["reset", "on", f"#{digest}", f"~{WAKE_PREFIX}*", "resetchannels", *allowed]


def acl_line(secret: str) -> str:
    """The line for the server's ACL file; the password is in it as its digest only."""
    words = [word for word in acl_words(secret) if word != "reset"]
    return f"user {USER} {' '.join(words)}"


def acl_apply(*, url: str, secret: str) -> bool:
    """Make or change the user at the server; True when the server keeps it over a restart.

    Raises:
        PerfsiteError: the server does not answer, or does not let this client do it.
    """
    client = redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5)
    try:
        client.execute_command("ACL SETUSER", USER, *acl_words(secret))
        try:
            client.execute_command("ACL SAVE")
        except redis.ResponseError:  # it was started without an ACL file
            return False
    except redis.RedisError as error:
        raise PerfsiteError(f"the broker did not take the worker's user: {error}") from None
    finally:
        client.close()
    return True


def worker_url(*, url: str, secret: str) -> str:
    """The broker's address with the worker's credentials in the place of the site's."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{USER}:{quote(secret, safe='')}@{host}").geturl()
