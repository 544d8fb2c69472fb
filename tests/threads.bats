#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Threads and signals around a connection; programs with a TLS of their own.

load helper

@test "close() in one thread while another blocks in read(): nothing is read from the file that gets the number" {
  same_as_native -- interplay close
}
@test "the same with a copy left open, which loses nothing" { same_as_native -- interplay close-copy; }
@test "pthread_cancel() in read() leaves the connection usable" {
  same_as_native -- interplay cancel
  facts "^end close_notify"
}
@test "pthread_cancel() in write(), and close() is not held up" { same_as_native -- interplay cancel-write; }
@test "a signal handler that writes to a pipe, and to the connection its thread is busy with" {
  TSAN_OPTIONS+=:report_signal_unsafe=0 # OpenSSL calls malloc(): README, "What it cannot do"
  same_as_native -- interplay handler
}
@test "an alarm that leaves read() by siglongjmp() while it waits: the connection goes on" {
  same_as_native -- jumper wait
  facts "^end close_notify"
}
@test "one that leaves read() while it is busy: nothing hangs afterwards" {
  case ${SAN-} in address*) skip "a handler that leaves malloc() by siglongjmp() leaves ASan's lock taken: libstarttls(8)" ;; esac
  TSAN_OPTIONS+=:report_signal_unsafe=0
  same_as_native -- jumper busy
}
@test "a signal handler that closes what its thread reads from, and leaves read()" {
  TSAN_OPTIONS+=:report_signal_unsafe=0
  same_as_native -- jumper close
}
# jumpy leave|dial: by address; the certificate has it
jumpy() {
  TSAN_OPTIONS+=:report_signal_unsafe=0
  serve
  watch verify
  run -0 shim timeout 100 "$legacy/jumpy_dial" localhost "$PORT" "$1"
  [[ $output == *done ]] # behind what the children heard, where _exit() flushes
  peer_saw HELO
  peer_never_saw_in_clear HELO
}
@test "an alarm that leaves the first connect() by siglongjmp(), at any moment: what is dialled then is inside TLS" { jumpy leave; }
# interruptible [SETTING]: an environment for the library
interruptible() {
  [ -z "${SAN-}" ] || skip "the allocator is the sanitizer's own then"
  serve
  policy "refuse to any port 2525" "verify to any port $PORT proto smtp ca $certs/ca.pem"
  run -0 env LD_PRELOAD="$build/libstarttls.so $build/tests/unsafe.so" STARTTLS_POLICY="$PWD/policy" "$@" "$legacy/interruptible" "$PORT" 2525 1
  [[ $output == *done ]]
  peer_saw HELO
  peer_never_saw_in_clear HELO
}
@test "no call that may be left like that is in malloc(), a lock or the loader while signals may come" {
  interruptible "STARTTLS_LOG=$PWD/log"
  grep -q 'starttls refused .*port=2525' log
}
@test "nor while the log goes to syslog, and rules are written by --observe" {
  interruptible "STARTTLS_OBSERVE=$PWD/observed"
  grep -q "port $PORT proto smtp" observed
}
@test "a signal handler that dials while its thread does for the first time: what it says is inside TLS" { jumpy dial; }
@test "fork() 40 times while three threads talk" {
  same_as_native -- interplay fork
  facts "^end close_notify"
}
@test "exit() while a thread is blocked in read(): exit code, and close_notify" {
  ends=7 same_as_native -- interplay exit
  facts "^end close_notify"
}

@test "a program that does everything before main(), and the rest after it" { same_as_native -- early_bird; }
@test "a program with an OpenSSL of its own in use: error queue, objects, exit handlers" { same_as_native -- own_tls; }

@test "node, which exports an OpenSSL of its own, talks TLS itself at the same time" {
  cat >both.js <<'END'
const net = require('net'), tls = require('tls');
const talk = (name, socket) => new Promise(done => {
  const words = ['HELO node.test', 'NOOP from ' + name, 'QUIT'], heard = [];
  socket.setEncoding('utf8').on('data', text => {
    heard.push(text.trim());
    if (words.length) socket.write(words.shift() + '\r\n');
  }).on('end', () => done(name + ': ' + heard.join(', '))).on('error', e => done(name + ': ' + e));
});
const [plain, own] = process.argv.slice(2).map(Number);
Promise.all([
  talk('net', net.connect(plain, 'localhost')),
  talk('tls', tls.connect({port: own, host: '127.0.0.1', rejectUnauthorized: false})),
]).then(lines => console.log(lines.join('\n')));
END
  local own own_peer
  mkdir own
  read -r own own_peer < <("$build/tests/peer" --journal "$PWD/own" --cert "$certs/good.pem" --proto tls)
  serve_plain
  node both.js "$PORT" "$own" >native
  peer_stop
  serve
  watch verify
  shim node both.js "$PORT" "$own" >shimmed
  kill "$own_peer"
  cat native
  diff native shimmed
  grep -q '^tls: 220' native
  peer_saw "NOOP from net"
  peer_never_saw_in_clear "NOOP from net"
}
