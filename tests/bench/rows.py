# SPDX-License-Identifier: MIT
"""rows.py - what is measured, in order, and the marks: what passes, and what we are after.

Amounts are chosen so that native takes about 50 ms in short mode and 400 ms in full mode.
"""
from measure import Custom, Mark, Speed
from overhead import nanoseconds, per_call, starting, starting_empty
from special import memory, process, resumed, trips, untouched

MB = 1_000_000


def speed(passing, goal):
    """Work per time, relative to native."""
    return (Mark(passing, goal),)


def speed_cpu(passing, goal, cpu_passing, cpu_goal):
    """The same, and CPU time relative to native."""
    return (Mark(passing, goal), Mark(cpu_passing, cpu_goal, more=False))


def octets(what, workload, marks, short, full):
    """A stream of so many octets."""
    return Speed(what, workload, marks, (int(short),), (int(full),))


def loop(kind):
    """One non-blocking connection in a loop of poll, select or epoll."""
    return Speed(f"{kind}, 16 KiB up and down, round trips", (kind,), speed(0.92, 0.98),
                 short=(40 * MB, 300), full=(300 * MB, 3000))


def many(count, short, full, rounds=None):
    """Round trips over many connections at once."""
    return Speed(f"round trips, {count:,} connections, one loop", ("many", count),
                 speed(0.92, 0.98), short, full, unit="trips", rounds=rounds)


ROWS = [
    octets("upload, 16 KiB writes (CPU)", ("upload", 16384),
           speed_cpu(0.95, 1.0, 1.03, 1.0), 100 * MB, 600 * MB),
    octets("upload, 64 KiB writes", ("upload", 65536),
           speed_cpu(0.97, 1.1, 1.03, 0.85), 100 * MB, 600 * MB),
    octets("upload, 512 B writes", ("upload", 512), speed(0.95, 1.75), 20 * MB, 120 * MB),
    octets("upload, 80 B writes", ("upload", 80), speed(0.95, 1.75), 3 * MB, 24 * MB),
    octets("upload, 1 B writes", ("upload", 1), speed(0.95, 1.75), MB / 20, MB / 2.5),
    octets("writev of 64 pieces", ("writev", 64, 256), speed(0.95, 1.0), 80 * MB, 500 * MB),
    octets("sendmsg of 64 pieces", ("sendmsg", 64, 256), speed(0.95, 1.0), 80 * MB, 500 * MB),
    octets("download, 16 KiB reads (CPU)", ("download", 16384),
           speed_cpu(0.93, 0.99, 1.08, 1.02), 150 * MB, 900 * MB),
    octets("download, 512 B reads", ("download", 512), speed(0.95, 1.0), 80 * MB, 500 * MB),
    octets("download, 1 B reads", ("download", 1), speed(0.95, 1.3), MB / 4, 2 * MB),
    Speed("stdio (fdopen), 100 B pieces", ("stdio",), speed(0.92, 0.98),
          (8 * MB, 300), (60 * MB, 2000)),
    loop("poll"),
    loop("select"),
    loop("epoll"),
    octets("two threads, a connection each", ("threads",), speed(0.92, 0.98), 60 * MB, 400 * MB),
    many(100, (3000,), (30000,)),
    many(1000, (5000,), (40000,), rounds=3),
    many(5000, None, (50000,), rounds=3),
    Speed("opening 100 connections 20 ms away, one loop", ("far", 100), speed(0.8, 0.95), (), (),
          unit="connections", place="far"),
    Speed("connections, one after the other", ("connects",), speed(0.95, 1.4), (50,), (400,),
          unit="connections"),
    Custom("  native, resumed within a process", resumed),
    Speed("4 KiB mails, line by line", ("mails",), speed(0.95, 20), (2,), (10,),
          unit="mails", rounds=3),
    Custom("one process, one mail: time", process, False),
    Custom("one process, one mail, 140 CAs: time", process, True),
    Custom("round trips to the first reply in TLS, SMTP", trips),
    Custom("memory per held connection, over native", memory),
    Custom("  native, with its idle buffers released", memory, True),
    Custom("exec of /bin/true (native: linked to libssl)", starting),
    Custom("  under an empty library", starting_empty),
    Custom("read of an unwatched descriptor", nanoseconds, "read", 3, 3),
    Custom("  its instructions, more", per_call, "instructions", "read"),
    Custom("  its instructions, while TLS is open", per_call, "instructions", "read", True),
    Custom("  its system calls, more", per_call, "system calls", "read"),
    Custom("connect cycle, unwatched", nanoseconds, "connect", 500, 100),
    Custom("  its system calls, more", per_call, "system calls", "connect"),
    Custom("close and dup, unwatched", nanoseconds, "close", 10, 4),
    Custom("dup2, unwatched", nanoseconds, "dup2", 5, 2),
    Custom("plaintext left alone, upload", untouched, "upload"),
    Custom("plaintext left alone, download", untouched, "download"),
]
