#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""typed.py SCREEN WAIT KEYS [WAIT KEYS …] -- COMMAND …: somebody at a terminal. Runs COMMAND there, and types KEYS (\\r, \\x03 …) once WAIT, a
regular expression, has appeared since the keys before. All that appeared is kept in the file SCREEN, without the terminal's control
sequences. Exit: COMMAND's; 124 when 60 seconds were not enough, or COMMAND ended before the last keys."""
import os, pty, re, select, signal, sys, time

arguments = sys.argv[2:]
at = arguments.index("--")
typing, command = arguments[:at], arguments[at + 1:]
steps = [(re.compile(wait, re.DOTALL), keys.encode().decode("unicode_escape").encode("latin-1")) for wait, keys in zip(typing[::2], typing[1::2])]
deadline = time.monotonic() + 60

child, terminal = pty.fork()
if child == 0:
    os.environ.update(TERM="xterm", LINES="24", COLUMNS="80")
    os.execvp(command[0], command)

seen, new = "", ""
while True:
    left = deadline - time.monotonic()
    if left < 0 or not select.select([terminal], [], [], left)[0]:
        os.kill(child, signal.SIGKILL)
        print(f"still waiting for {steps[0][0].pattern if steps else 'the end'}")
        break
    try:
        got = os.read(terminal, 4096)
    except OSError:  # EIO: the last who had it open is gone
        got = b""
    if not got:
        break
    seen += got.decode("utf-8", "replace")
    new = re.sub(r"\x1b[\[(][0-9;?]*[A-Za-z]|\x1b[=>]", " ", new + got.decode("utf-8", "replace"))
    while steps and steps[0][0].search(new):
        os.write(terminal, steps.pop(0)[1])
        new = ""

_, status = os.waitpid(child, 0)
with open(sys.argv[1], "w") as screen:
    screen.write(re.sub(r"\x1b[\[(][0-9;?]*[A-Za-z]|\x1b[=>]|\r", " ", seen))
if steps:
    print(f"ended before {steps[0][0].pattern}")
sys.exit(124 if steps or os.waitstatus_to_exitcode(status) < 0 else os.waitstatus_to_exitcode(status))
