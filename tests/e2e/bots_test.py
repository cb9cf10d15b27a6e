"""Bots written from deploy/redis.md alone: one reads the streams of a group with a consumer group, one with XREAD, one each
series' own stream. What the catalogue calls a symbol, also beyond ASCII, is what its signals call it. Every closed bar comes
to each bot once and in order, though it crashes between a signal and its acknowledgement, either of two daemons is killed,
Redis is emptied, comes back empty or older, or goes on with lower IDs as after a failover. Who was away for longer than the streams
hold learns that."""
import json
import sys
import threading
import time
import urllib.parse

import redis

import harness
from harness import Workplace, wait_for

GROUP = "atc:1:{binance:spot:1m:default}:"
ALL = GROUP + "all"
MINUTE_MS = 60_000


class Crash(Exception):
    pass


class Bot(threading.Thread):
    """What the three have in common: positions, and what was told."""

    def __init__(self, url, symbols):
        super().__init__(daemon=True)
        self.client = redis.Redis.from_url(url, decode_responses=True, socket_timeout=2)
        self.symbols, self.position, self.told, self.lost = symbols, {}, [], []
        self.crashes, self.stopping = 0, False

    def run(self):
        while not self.stopping:
            try:
                self.follow()
            except Crash:
                pass  # begins anew, with the positions that it kept
            except redis.exceptions.RedisError:
                time.sleep(0.1)

    def take(self, symbol, fields):
        position = int(fields["close_ms"]), int(fields["rev"])
        before = self.position.get(symbol, (0, 0))
        if position <= before:
            return
        if before[0] and position[0] > before[0] + MINUTE_MS:
            self.lost.append((symbol, before[0], position[0]))
        self.told.append((symbol, *position))
        self.position[symbol] = position
        if self.crashes:
            self.crashes -= 1
            raise Crash

    def key(self, kind, symbol):
        return f"{GROUP}{kind}:{urllib.parse.quote(symbol, safe='._/@-')}"

    def read_own(self, symbol):
        if symbol not in self.position:
            fields = self.client.hgetall(self.key("last", symbol))
            return self.take(symbol, fields) if fields else None
        for _, fields in self.client.xrange(self.key("stream", symbol), "(%d-%d" % self.position[symbol], "+"):
            self.take(symbol, fields)

    def read_all_own(self):
        for symbol in self.symbols:
            self.read_own(symbol)

    def take_of_group(self, fields):
        symbol = fields["symbol"]
        if symbol in self.position and int(fields["close_ms"]) > self.position[symbol][0] + MINUTE_MS:
            self.read_own(symbol)
        self.take(symbol, fields)


class StreamBot(Bot):
    def follow(self):
        while not self.stopping:
            self.read_all_own()
            time.sleep(0.1)


class ReadBot(Bot):
    def follow(self):
        newest = self.client.xrevrange(ALL, count=1)
        self.cursor = newest[0][0] if newest else "0"
        self.read_all_own()
        while not self.stopping:
            for _, entries in self.client.xread({ALL: self.cursor}, block=500):
                for self.cursor, fields in entries:
                    self.take_of_group(fields)


class GroupBot(Bot):
    def follow(self):
        try:
            self.client.xgroup_create(ALL, "bot", "$", mkstream=True)
        except redis.exceptions.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self.read_all_own()
        cursor = "0"
        while not self.stopping:
            entries = [entry for _, found in self.client.xreadgroup("bot", "one", {ALL: cursor}, count=50, block=500)
                       for entry in found]
            for entry_id, fields in entries:
                self.take_of_group(fields) if fields else self.read_all_own()
                self.client.xack(ALL, "bot", entry_id)
            if not entries:
                cursor = ">"


def main():
    with Workplace() as place:
        client = place.redis()
        server = place.processes[-1][1]
        simulator = place.simulator("--symbols", "BTCUSDT,ETHUSDT,币安人生USDT", "--speed", "240", "--seed", "5",
                                    "--weight-limit", "1000000")
        configs = {name: f"instance = \"{name}\"\n" + harness.configuration(
            simulator.ws_url, simulator.rest_url, client.url, place.path(name), ["*USDT"]) for name in ("a", "b")}
        daemons = {name: place.daemon(text, name=name) for name, text in configs.items()}
        wait_for(lambda: client.hlen("atc:1:catalogue") == 3, "the catalogue")
        symbols = sorted(json.loads(each)["symbol"] for each in client.hvals("atc:1:catalogue"))
        assert symbols == sorted(simulator.symbols()), symbols
        reader = ReadBot(client.url, symbols)
        bots = [StreamBot(client.url, symbols), reader, GroupBot(client.url, symbols)]
        for bot in bots:
            bot.start()

        def hear_more(count):
            """Each bot of each symbol."""
            def heard():
                return [sum(told[0] == symbol for told in bot.told) for bot in bots for symbol in symbols]

            before = heard()
            wait_for(lambda: all(now >= then + count for now, then in zip(heard(), before)), f"{count} more signals of each")

        hear_more(5)
        for _ in range(3):
            for bot in bots:
                bot.crashes = 2
            hear_more(3)
        for name in daemons:
            daemons[name].kill()
            daemons[name].wait()
            hear_more(3)
            daemons[name] = place.daemon(configs[name], name=name)
            hear_more(3)
        for _ in range(3):
            client.flushall()
            hear_more(5)
        # As after a failover to a server whose clock is behind: what follows has lower IDs than what was read.
        ahead = f"{int(time.time() * 1000) + 3_600_000}-0"
        client.xadd(ALL, {"symbol": symbols[0], "close_ms": 1, "rev": 0}, id=ahead)
        wait_for(lambda: reader.cursor >= ahead, "an ID ahead is read")
        client.flushall()
        client.client_kill_filter(_type="normal", skipme=True)
        hear_more(5)
        # Empty, and then as it was some bars before.
        for saved in (False, True):
            if saved:
                client.save()
                hear_more(3)
            server.kill()
            server.wait()
            client = place.redis()
            server = place.processes[-1][1]
            hear_more(5)

        def corrected():
            """A bar whose next one has closed by then is not told again."""
            simulator.control(f"correct?symbol={symbols[0]}")
            return all(any(told[2] for told in bot.told) for bot in bots)

        wait_for(corrected, "a correction is heard")
        hear_more(3)
        assert not any(bot.lost for bot in bots), [bot.lost for bot in bots]

        # Away for longer than the streams hold.
        for bot in bots:
            bot.stopping = True
            bot.join()
        newest = max(max(bot.position.values()) for bot in bots)
        wait_for(lambda: all(int(client.hget(bots[0].key("last", symbol), "close_ms")) > newest[0] + 5 * MINUTE_MS
                             for symbol in symbols), "bars that all miss")
        for key in [ALL] + [bots[0].key("stream", symbol) for symbol in symbols]:
            client.xtrim(key, maxlen=2, approximate=False)
        positions = [bot.position for bot in bots]
        bots = [type(bot)(client.url, symbols) for bot in bots]
        for bot, position in zip(bots, positions):
            bot.position = dict(position)
            bot.start()
        hear_more(5)
        for bot, position in zip(bots, positions):
            assert sorted(each[:2] for each in bot.lost) == sorted((symbol, at[0]) for symbol, at in position.items()), bot.lost
        print(f"{[type(bot).__name__ for bot in bots]}: every bar once and in order, what was lost is known")
    return 0


if __name__ == "__main__":
    sys.exit(main())
