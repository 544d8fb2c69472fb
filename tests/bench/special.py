# SPDX-License-Identifier: MIT
"""special.py - rows that are not work per time relative to native."""
import pathlib
import shutil
import statistics
import subprocess

from arena import ONE_WAY_MS, Native, Plain, Shim, Stunnel, Untouched, Wrong, fields
from measure import COLUMNS, Mark, Result, Series

BUNDLE_SOURCE = "/etc/ssl/certs"


def trips(what, arena, mode):
    """Round trips from connect() to the first reply inside TLS, TCP's own not counted."""
    s = Series(arena, COLUMNS, mode.rounds, lambda c: c.run(("trips",), "far"))
    result = Result(what, {}, wrong=s.wrong)
    counted = {}
    for name in COLUMNS:
        if s.has(name):
            counted[name] = s.median(name, "wall") / (2e6 * ONE_WAY_MS) - arena.extra_trips
            result.cells[name] = f"{counted[name]:.1f}"
    if "shim" in counted:
        result.marks.append((Mark(5, 5, more=False), float(round(counted["shim"])), 0.0))
    return result


def memory(what, arena, mode, frugal=False):
    """Memory per held connection, in KB over native's."""
    count = mode.choose(100, 1000)
    native = Native(arena, "native")
    native.flags = ("-m",) if frugal else ()
    base = native.hold(count)
    result = Result(what, {"native": f"{base / 1000:.1f} KB"})
    if frugal:
        return result
    result.error = f"±{abs(native.hold(count) - base) / 1000:.1f} KB"
    for name, kind in (("stunnel", Stunnel), ("shim", Shim)):
        if name in mode.columns:
            more = (kind(arena, name).hold(count) - base) / 1000
            result.cells[name] = f"{more:+.1f} KB"
    if "shim" in result.cells:
        result.marks.append((Mark(4, 1, more=False, unit=" KB"), more, 0.0))
    return result


def resumed(what, arena, mode):
    """Native with sessions resumed, over native without: what resumption is worth here."""
    plain_native, resuming = Native(arena, "native"), Native(arena, "native -r")
    resuming.flags = ("-r",)
    ratios = []
    for _ in range(mode.rounds):
        workload = ("connects", mode.choose(50, 400))
        ratios.append(plain_native.run(workload)["wall"] / resuming.run(workload)["wall"])
    return Result(what, {"native": f"{statistics.median(ratios):.2f}"})


def untouched(what, arena, mode, verb):
    """The shim on a connection of level none, over the plain program."""
    if "shim" not in mode.columns:
        return Result(what, {})
    kinds = {
        "plain": Plain(arena, "plain"),
        "shim": Untouched(arena, "shim, none"),
        "again": Plain(arena, "plain again"),
    }
    workload = (verb, 16384, mode.choose(200_000_000, 1_000_000_000))
    rounds = []
    for i in range(mode.rounds):
        order = list(kinds)[::-1] if i % 2 else list(kinds)
        rounds.append({name: kinds[name].run(workload)["wall"] for name in order})
    ratio = statistics.median(r["plain"] / r["shim"] for r in rounds)
    error = statistics.median(abs(r["plain"] / r["again"] - 1) for r in rounds)
    cells = {"plain": "1", "shim": f"{ratio:.2f}"}
    return Result(what, cells, f"±{error * 100:.0f}%", [(Mark(0.98, 1.0), ratio, error)])


# --- one process, one mail, from start to exit


def make_bundle(arena):
    """Debian's authorities and ours: as one file, which native parses, and as hashed files."""
    hashed, bundle = arena.where / "hashed", arena.where / "bundle.pem"
    if bundle.exists():
        return
    hashed.mkdir()
    own = (arena.where / "ca.pem").read_bytes()
    try:
        authorities = open(f"{BUNDLE_SOURCE}/ca-certificates.crt", "rb").read()
    except OSError:
        raise Wrong("no ca-certificates") from None
    bundle.write_bytes(authorities + own)
    for authority in pathlib.Path(BUNDLE_SOURCE).glob("*.pem"):
        shutil.copy(authority, hashed)
    shutil.copy(arena.where / "ca.pem", hashed / "own.pem")
    subprocess.run(["openssl", "rehash", hashed], check=True, capture_output=True)


def one_mail(contender, arena, starts, preload=None, **more):
    command = [arena.bin / "cost", "spawn", starts, *(("-p", preload) if preload else ())]
    command += contender.command("near", ("mail",))
    env = contender.environment()
    env.pop("LD_PRELOAD", None)  # cost gives it to its children only
    env.update(more)
    done = contender.finish([str(word) for word in command], f"{contender.name}: one mail", env=env)
    contender.judge()
    return fields(done.stdout)


def process(what, arena, mode, bundled):
    """Time of the whole process relative to native: less is better."""
    native, shim, more = Native(arena, "native"), Shim(arena, "shim"), {}
    if bundled:
        make_bundle(arena)
        native.ca, shim.policy = "bundle.pem", "default"
        more = {"SSL_CERT_DIR": str(arena.where / "hashed")}
    starts, rounds = mode.choose(5, 15), []
    runs = {
        "plain": lambda: one_mail(Plain(arena, "plain"), arena, starts),
        "native": lambda: one_mail(native, arena, starts),
        "shim": lambda: one_mail(shim, arena, starts, arena.shim, **more),
        "again": lambda: one_mail(native, arena, starts),
    }
    if "shim" not in mode.columns:
        del runs["shim"]
    for i in range(mode.rounds):
        order = list(runs)[::-1] if i % 2 else list(runs)
        rounds.append({name: runs[name]() for name in order})
    marks = (1.0, 0.35) if bundled else (1.06, 0.95)
    return process_result(what, rounds, Mark(*marks, more=False))


def process_result(what, rounds, mark):
    def ratio(name, key="wall"):
        return statistics.median(r[name][key] / r["native"][key] for r in rounds)

    error = statistics.median(abs(r["again"]["wall"] / r["native"]["wall"] - 1) for r in rounds)
    base = statistics.median(r["native"]["wall"] for r in rounds) / 1e6
    cells = {"native": f"{base:.1f} ms", "stunnel": "a daemon"}
    result = Result(what, cells, f"±{error * 100:.0f}%")
    for name in ("plain", "shim"):
        if name in rounds[0]:
            result.cells[name] = f"{ratio(name):.2f} ({ratio(name, 'cpu'):.2f})"
    if "shim" in rounds[0]:
        result.marks.append((mark, ratio("shim"), error))
    return result
