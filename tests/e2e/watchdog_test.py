"""The service manager's watchdog: fed while all works, not fed while one worker's thread stands still, fed again when it
goes on. A night without trades and an exchange that is away do not stop it."""
import contextlib
import ctypes
import os
import signal
import socket
import sys
import time

import harness
from harness import Workplace, wait_for

WATCHDOG_S = 15  # a third of it is the patience with a worker
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WAIT_FOR_THREADS = 0x40000000


class Frozen:
    """One thread of a process stands still; the others run on."""

    def __init__(self, thread):
        self.thread = thread

    def ptrace(self, request):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        if libc.ptrace(request, self.thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def __enter__(self):
        self.ptrace(PTRACE_SEIZE)
        self.ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.thread, WAIT_FOR_THREADS)

    def __exit__(self, kind, error, trace):
        self.ptrace(PTRACE_DETACH)


def threads(pid):
    """Name to number."""
    found = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # an audit's thread may have ended since
            with open(f"/proc/{pid}/task/{thread}/comm") as file:
                found[file.read().strip()] = int(thread)
    return found


class Manager:
    """Hears what the daemon tells its service manager."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(harness.DEADLINE_S)

    def until(self, wanted):
        """All that is told up to the first message that has `wanted` in it, that included."""
        heard = []
        while not heard or wanted not in heard[-1]:
            heard.append(self.socket.recv(4096).decode())
        return heard

    def forget(self):
        """What was told before now."""
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            self.socket.settimeout(harness.DEADLINE_S)


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "4", "--speed", "240", "--seed", "5", "--weight-limit", "1000000")
        manager = Manager(place.path("notify.sock"))
        path = place.path("daemon.toml")
        with open(path, "w") as file:
            file.write("threads = 3\n" + harness.configuration(simulator.ws_url, simulator.rest_url, client.url,
                                                               place.directory, ["BTCUSDT", "ETHUSDT", "BNBUSDT"]))
        daemon = place.spawn("daemon", [harness.ATCD, "run", "--config", path],
                             env={**os.environ, "NOTIFY_SOCKET": manager.path,
                                  "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000)})
        manager.until("READY=1")
        heard = manager.until("3 of 3 series live")
        assert "WATCHDOG=1" in heard, heard

        with contextlib.ExitStack() as frozen:
            try:
                frozen.enter_context(Frozen(threads(daemon.pid)["worker-1"]))
            except PermissionError as error:
                print(f"SKIPPED: a thread can't be stopped here: {error}")
                return 77
            wait_for(lambda: place.log_lines("daemon", "worker 1 has given no sign of life"), "the log names the worker")
            manager.forget()
            heard = manager.until("STATUS=stuck: worker 1") + manager.until("STATUS=stuck: worker 1")
            assert "WATCHDOG=1" not in heard, f"fed with a worker that stands still: {heard}"
        manager.until("WATCHDOG=1")
        wait_for(lambda: place.log_lines("daemon", "all goes on"), "the log says that it goes on")

        # The exchange stands still, with its connections open: nothing that a start anew would mend.
        os.kill(simulator.pid, signal.SIGSTOP)
        end = time.monotonic() + float(os.environ.get("ATCD_EXCHANGE_AWAY_S", "5"))
        fed = 0
        while time.monotonic() < end:
            heard = manager.until("STATUS=")
            fed += heard.count("WATCHDOG=1")
            assert "stuck" not in heard[-1], heard
        assert fed > 0, "the watchdog is fed while the exchange is away"
        os.kill(simulator.pid, signal.SIGCONT)
        daemon.terminate()
        heard = manager.until("STOPPING=1")
        assert daemon.wait(30) == 0
        print(f"fed {fed} times while the exchange stood still; not once while a worker did")
    return 0


if __name__ == "__main__":
    sys.exit(main())
