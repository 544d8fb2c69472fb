# SPDX-License-Identifier: MIT
"""overhead.py - rows about processes and calls that TLS does not concern."""
import re
import shutil
import statistics
import subprocess

from arena import Wrong, fields
from measure import Mark, Result

LIBSSL = "libssl.so.3"


def lines(command, env):
    command = [str(word) for word in command]
    options = {"env": env, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run(command, check=False, **options)
    if done.returncode:
        raise Wrong(f"{' '.join(command)}: {done.stderr.strip()[-300:]}")
    return done


def empty_library(arena):
    """A library with nothing in it: what the loader alone costs."""
    path = arena.where / "empty.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", path, "/dev/null"], check=True)
    return path


def starting(what, arena, mode):
    """exec of /bin/true, over the same without a preload; native: with libssl in its place."""
    libraries = ["none", "none", LIBSSL, *([arena.shim] if "shim" in mode.columns else ())]
    return start_result(what, mode, start_times(arena, mode, libraries))


def starting_empty(what, arena, mode):
    """The same for a library with nothing in it."""
    wall = start_times(arena, mode, ["none", empty_library(arena)])
    return Result(what, {"native": f"{wall[1] - wall[0]:+.0f} µs"})


def start_times(arena, mode, libraries):
    command = [arena.bin / "cost", "spawn", mode.choose(200, 1500)]
    for library in libraries:
        command += ["-p", library]
    done = lines([*command, "/bin/true"], arena.environment())
    return [fields(line)["wall"] / 1000 for line in done.stdout.splitlines()]


def start_result(what, mode, wall):
    error = abs(wall[1] - wall[0])
    result = Result(what, {
        "plain": f"{wall[0]:.0f} µs",
        "native": f"+{wall[2] - wall[0]:.0f} µs",
    }, f"±{error:.0f} µs")
    if "shim" in mode.columns:
        more = wall[3] - wall[0]
        result.cells["shim"] = f"{more:+.0f} µs"
        result.marks.append((Mark(117, 60, more=False, unit=" µs"), more, error))
    return result


def shim_environment(arena, watch):
    env = arena.environment("verify", LD_PRELOAD=str(arena.shim))
    return env, (list(map(str, arena.places["near"])) if watch else [])


def one_call(arena, name, count, shim=False, watch=False):
    """Nanoseconds of one call."""
    env, held = shim_environment(arena, watch) if shim else (arena.environment(), [])
    return fields(lines([arena.bin / "cost", "call", name, count, *held], env).stdout)["ns"]


def nanoseconds(what, arena, mode, name, passing, goal, watch=False):
    """A call without the preload, and what it costs more with it.

    With watch, a TLS connection is open meanwhile.
    """
    count = mode.choose(20_000, 100_000) if name == "connect" else mode.choose(300_000, 2_000_000)
    rounds = []
    for i in range(max(mode.rounds, 5)):
        runs = [("plain", False), ("shim", True), ("again", False)]
        rounds.append({who: one_call(arena, name, count, shim and "shim" in mode.columns, watch)
                       for who, shim in (runs[::-1] if i % 2 else runs)})
    arena.report()
    error = statistics.median(abs(r["again"] - r["plain"]) for r in rounds)
    base = statistics.median(r["plain"] for r in rounds)
    result = Result(what, {"plain": f"{base:.0f} ns"}, f"±{error:.1f} ns")
    if "shim" in mode.columns:
        more = statistics.median(r["shim"] - r["plain"] for r in rounds)
        result.cells["shim"] = f"{more:+.1f} ns"
        result.marks.append((Mark(passing, goal, more=False, unit=" ns"), more, error))
    return result


def counted(command, env, how):
    """Instructions (callgrind) or system calls (strace) of a command."""
    if how == "instructions":
        callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        done = lines([*callgrind, *command], env)
        return int(re.search(r"Collected : (\d+)", done.stderr)[1])
    done = lines(["strace", "-f", "-c", *command], env)
    return int(re.search(r"(\d+)(?:\s+\d+)? total$", done.stderr, re.M)[1])


def per_call(what, arena, mode, how, name, watch=False):
    """Instructions or system calls of one call, exactly: the difference between two counts."""
    tool = {"instructions": "valgrind", "system calls": "strace"}[how]
    if not shutil.which(tool):
        return Result(what, {"plain": f"no {tool}"})
    few, many = 1000, 3000
    each = {}
    for who in ("plain", "shim") if "shim" in mode.columns else ("plain",):
        env, held = shim_environment(arena, watch) if who == "shim" else (arena.environment(), [])
        call = [str(arena.bin / "cost"), "call", name]
        counts = [counted([*call, str(n), *held], env, how) for n in (few, many)]
        each[who] = (counts[1] - counts[0]) / (many - few)
    arena.report()
    result = Result(what, {"plain": f"{each['plain']:.1f}"})
    if "shim" in each:
        more = each["shim"] - each["plain"]
        wanted = 8 if how == "instructions" else 0
        result.cells["shim"] = f"{more:+.1f}"
        result.marks.append((Mark(wanted, wanted, more=False), more, 0.0))
    return result
