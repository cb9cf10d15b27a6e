#!/usr/bin/env python3
"""A subscriber of atcd's signals that misses none, doubles none and knows when to stop trusting them.

    subscriber.py --url unix:///run/redis/redis.sock binance:spot:BTCUSDT:1m:default

- It begins with the latest signal and goes on with the stream from that entry's ID: the stream is the record. With
  --positions FILE it goes on, after an end of its own, where it was.
- The push is a doorbell only: it says "look at the stream now". A lost push costs a second, not a signal.
- A series is trusted while Redis answers, now <= next_close_ms + grace, and an instance that beats, without audit
  differences, says LIVE. A signal that is past, because a newer one is there or its time is over, is told while its
  series is not trusted.
- Act on `trend`, against the trend that you acted on last: `previous_trend` tells no turn where a new run begins.

Needs redis-py (Debian: python3-redis). Every field is described in deploy/redis.md.
"""
import argparse
import json
import os
import signal
import sys
import time

import redis

POLL_S = 1.0  # how late a signal can be whose push got lost
RETRY_S = 0.5  # between tries to reach Redis
ANSWER_S = 2.0  # a Redis that takes longer can't be reached; without it one that hangs would be trusted for ever


def connect(url, **extra):
    """The client of a Subscriber."""
    # Debian 12's redis-py names the host of an idle connection that was reset; that of a Unix socket has none, and would
    # end us with an AttributeError.
    redis.UnixDomainSocketConnection.host, redis.UnixDomainSocketConnection.port = "the Unix socket", 0
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=ANSWER_S, **extra)


def keys_of(series, prefix="atc"):
    """The stream, the latest and the channel of a series."""
    exchange, market, symbol, interval, profile = series.split(":")
    group = f"{prefix}:1:{{{exchange}:{market}:{interval}:{profile}}}"
    return f"{group}:stream:{symbol}", f"{group}:last:{symbol}", f"{prefix}:1:signal:{series}"


class Subscriber:
    """Calls on_signal(series, fields) for every signal once and in order, and on_trust(series, trusted, why) when
    trust begins or ends. The newest signal holds while trusted[series]: act when one is told, and when trust begins on
    the last one told. Fields are text, as Redis holds them. One thread: run() until stop() or an exception.
    A signal's position is <close_ms>-<rev>. Who keeps it together with what on_signal did, and begins anew with these
    `positions`, misses none in between either, as far as the stream remembers. Where on_signal raises it is told again."""

    def __init__(self, client, series, on_signal, on_trust, grace_s=5.0, instances=(), prefix="atc", positions=()):
        self.client = client  # made by connect()
        self.on_signal, self.on_trust = on_signal, on_trust
        # The daemons to believe; where none is named the one that wrote the newest entry. Of twins name both.
        self.grace_s, self.instances, self.prefix = grace_s, list(instances), prefix
        self.keys = {name: keys_of(name, prefix) for name in series}
        self.position = dict(positions)  # series: ID of the last entry that was handled
        self.latest = {}  # series: fields of that entry, or at first of the newest
        self.trusted = {name: None for name in series}
        self.stopping = False

    def run(self):
        while not self.stopping:
            try:
                self.follow()
            except redis.exceptions.RedisError as error:  # also where it refuses: whoever is told can mend it
                for name in self.keys:
                    self.set_trust(name, False, f"Redis can't be read: {error}")
                time.sleep(RETRY_S)

    def stop(self):
        self.stopping = True

    def follow(self):
        with self.client.pubsub(ignore_subscribe_messages=True) as doorbell:
            channels = {channel: name for name, (_, _, channel) in self.keys.items()}
            doorbell.subscribe(*channels)  # before the first look, so that nothing falls between the two
            looked_at = 0.0
            while not self.stopping:
                if time.monotonic() - looked_at >= POLL_S:
                    for name in self.keys:
                        self.read(name)
                        self.judge(name)
                    looked_at = time.monotonic()
                message = doorbell.get_message(timeout=POLL_S / 4)
                if message:
                    self.read(channels[message["channel"]])
                    self.judge(channels[message["channel"]])

    def read(self, name):
        """Handles what stands in the stream after our position."""
        stream, last, _ = self.keys[name]
        if name not in self.latest:
            fields = self.client.hgetall(last)
            if not fields:
                return  # never published yet
            if name not in self.position:
                self.handle(name, f"{fields['close_ms']}-{fields['rev']}", fields)
            self.latest[name] = fields
        while True:
            entries = self.client.xrange(stream, f"({self.position[name]}", "+", count=100)
            for entry_id, fields in entries:
                newest = len(entries) < 100 and entry_id == entries[-1][0]
                if not newest or self.late_s(fields) > self.grace_s:
                    self.set_trust(name, False, "a signal that is past")
                self.handle(name, entry_id, fields)
            if len(entries) < 100:
                return

    def handle(self, name, entry_id, fields):
        before_ms = self.position.get(name, "").partition("-")[0]
        if before_ms and int(fields["open_ms"]) > int(before_ms):
            # We were away for longer than the stream remembers, or the exchange has no bar there (gap_from_ms).
            print(f"{name}: nothing between {before_ms} and {fields['open_ms']}", file=sys.stderr)
        self.on_signal(name, fields)
        self.latest[name] = fields
        self.position[name] = entry_id

    def judge(self, name):
        fields = self.latest.get(name)
        if not fields:
            return self.set_trust(name, False, "no signal yet")
        if self.late_s(fields) > self.grace_s:
            return self.set_trust(name, False, f"the next signal is {self.late_s(fields):.0f} s late")
        for instance in self.instances or [fields["instance"]]:
            # It expires 10 s after the last beat.
            beat, differences = self.client.hmget(f"{self.prefix}:1:daemon:{instance}", "beat_ms", "audit_differences")
            state = self.client.hget(f"{self.prefix}:1:state:{instance}", name)
            if beat and differences == "0" and state and json.loads(state)["state"] == "LIVE":
                return self.set_trust(name, True, f"{instance} says LIVE")
        return self.set_trust(name, False, "no instance that beats, without audit differences, says LIVE")

    @staticmethod
    def late_s(fields):
        return time.time() - int(fields["next_close_ms"]) / 1000

    def set_trust(self, name, trusted, why):
        if self.trusted[name] != trusted:
            self.trusted[name] = trusted
            self.on_trust(name, trusted, why)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", default="redis://127.0.0.1:6379",
                        help="as redis-py has it, also unix:///SOCKET and rediss://HOST:PORT?ssl_ca_certs=FILE")
    parser.add_argument("--username")
    parser.add_argument("--password-file")
    parser.add_argument("--positions", metavar="FILE", help="keeps how far each series was read, and goes on there")
    parser.add_argument("--instance", action="append", default=[], help="a daemon to believe; of twins name both")
    parser.add_argument("series", nargs="+", metavar="SERIES", help="exchange:market:symbol:interval:profile")
    options = parser.parse_args()
    password = open(options.password_file).readline().strip() if options.password_file else None
    extra = {name: value for name, value in (("username", options.username), ("password", password)) if value}
    client = connect(options.url, **extra)
    positions = {}
    if options.positions and os.path.exists(options.positions):
        with open(options.positions) as file:
            positions = json.load(file)

    trends = {}  # series: that of the signal before

    def on_signal(name, fields):
        turned = " TURNED" if fields["trend"] != trends.get(name, fields["previous_trend"]) else ""
        trends[name] = fields["trend"]
        print(f"{name} close_ms={fields['close_ms']} rev={fields['rev']} close={fields['close']} "
              f"average={fields['average']} trend={fields['trend']} source={fields['source']}{turned}", flush=True)
        if options.positions:
            with open(options.positions + ".new", "w") as file:
                json.dump({**subscriber.position, name: f"{fields['close_ms']}-{fields['rev']}"}, file)
            os.replace(options.positions + ".new", options.positions)  # those before or these

    def on_trust(name, trusted, why):
        print(f"{name} {'trusted' if trusted else 'NOT trusted'}: {why}", flush=True)

    subscriber = Subscriber(client, options.series, on_signal, on_trust, instances=options.instance, positions=positions)
    for number in (signal.SIGINT, signal.SIGTERM):  # never between a signal and its position
        signal.signal(number, lambda *_: subscriber.stop())
    subscriber.run()


if __name__ == "__main__":
    main()
