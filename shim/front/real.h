/* SPDX-License-Identifier: MIT
 * real: the libc functions underneath our hooks. `real.read(fd, bytes, n)` is what the app's read()
 * would have been.
 *
 *   real.read ─► first_read ─ dlsym(RTLD_NEXT) ─► patches real.read, calls it     the first time
 *   real.read ─► libc's read                                                      ever after
 *
 * The pointers are good from the moment the loader has relocated us, so hooks work inside
 * constructors that run before any of ours, and a process pays (about 900 instructions) only for
 * what it uses. When libc lacks a function (close_range before 2.34), or while dlsym itself is at
 * work in this thread, the kernel is asked directly. Async-signal-safe: dlsym is not, for it takes
 * the loader's lock and frees the text of its last error, so signals are kept out meanwhile.
 * real_all() resolves the rest before the first watched connection, and before a sandbox may forbid
 * that. */
#ifndef STARTTLS_REAL_H
#define STARTTLS_REAL_H

#include <aio.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <wchar.h>

/* X(type, name, parameters, arguments, what to do without libc). fcntl and ioctl are variadic in
 * libc; there, too, the third argument is fetched as a pointer whatever it is, so a fixed third
 * parameter arrives in the same place. */
#define REAL_FUNCTIONS(X) \
	X(int, socket, (int family, int type, int proto), (family, type, proto), \
	  syscall(SYS_socket, family, type, proto)) \
	X(int, accept, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len), \
	  syscall(SYS_accept4, fd, addr, len, 0)) \
	X(int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags), \
	  (fd, addr, len, flags), syscall(SYS_accept4, fd, addr, len, flags)) \
	X(int, socketpair, (int family, int type, int proto, int ends[2]), \
	  (family, type, proto, ends), syscall(SYS_socketpair, family, type, proto, ends)) \
	X(int, connect, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len), \
	  syscall(SYS_connect, fd, addr, len)) \
	X(int, shutdown, (int fd, int how), (fd, how), syscall(SYS_shutdown, fd, how)) \
	X(int, ioctl, (int fd, unsigned long request, void *arg), (fd, request, arg), \
	  syscall(SYS_ioctl, fd, request, arg)) \
	X(int, prctl, \
	  (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d), \
	  (option, a, b, c, d), syscall(SYS_prctl, option, a, b, c, d)) \
	X(int, _exit, (int status), (status), syscall(SYS_exit_group, status)) \
	X(int, chroot, (const char *path), (path), syscall(SYS_chroot, path)) \
	X(int, setuid, (uid_t id), (id), absent(-1)) \
	X(int, seteuid, (uid_t id), (id), absent(-1)) \
	X(int, setreuid, (uid_t own, uid_t effective), (own, effective), absent(-1)) \
	X(int, setresuid, (uid_t own, uid_t effective, uid_t saved), (own, effective, saved), \
	  absent(-1)) \
	X(int, setgid, (gid_t id), (id), absent(-1)) \
	X(int, setegid, (gid_t id), (id), absent(-1)) \
	X(int, setregid, (gid_t own, gid_t effective), (own, effective), absent(-1)) \
	X(int, setresgid, (gid_t own, gid_t effective, gid_t saved), (own, effective, saved), \
	  absent(-1)) \
	X(int, setgroups, (size_t n, const gid_t *ids), (n, ids), absent(-1)) \
	X(int, initgroups, (const char *user, gid_t id), (user, id), absent(-1)) \
	X(int, fcntl, (int fd, int cmd, void *arg), (fd, cmd, arg), \
	  syscall(SYS_fcntl, fd, cmd, arg)) \
	X(int, close, (int fd), (fd), syscall(SYS_close, fd)) \
	X(int, close_range, (unsigned first, unsigned last, int flags), (first, last, flags), \
	  syscall(SYS_close_range, first, last, flags)) \
	X(int, daemon, (int stay, int keep), (stay, keep), absent(-1)) \
	X(int, unshare, (int flags), (flags), syscall(SYS_unshare, flags)) \
	X(void, closefrom, (int first), (first), syscall(SYS_close_range, first, ~0U, 0)) \
	X(int, dup, (int fd), (fd), syscall(SYS_dup, fd)) \
	X(int, dup2, (int fd, int to), (fd, to), syscall(SYS_dup3, fd, to, 0)) \
	X(int, dup3, (int fd, int to, int flags), (fd, to, flags), \
	  syscall(SYS_dup3, fd, to, flags)) \
	X(ssize_t, read, (int fd, void *bytes, size_t n), (fd, bytes, n), \
	  syscall(SYS_read, fd, bytes, n)) \
	X(ssize_t, readv, (int fd, const struct iovec *iov, int count), (fd, iov, count), \
	  syscall(SYS_readv, fd, iov, count)) \
	X(ssize_t, recv, (int fd, void *bytes, size_t n, int flags), (fd, bytes, n, flags), \
	  syscall(SYS_recvfrom, fd, bytes, n, flags, NULL, NULL)) \
	X(ssize_t, recvfrom, \
	  (int fd, void *bytes, size_t n, int flags, struct sockaddr *addr, socklen_t *len), \
	  (fd, bytes, n, flags, addr, len), syscall(SYS_recvfrom, fd, bytes, n, flags, addr, len)) \
	X(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags), \
	  syscall(SYS_recvmsg, fd, msg, flags)) \
	X(int, recvmmsg, \
	  (int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout), \
	  (fd, msgs, n, flags, timeout), syscall(SYS_recvmmsg, fd, msgs, n, flags, timeout)) \
	X(ssize_t, write, (int fd, const void *bytes, size_t n), (fd, bytes, n), \
	  syscall(SYS_write, fd, bytes, n)) \
	X(ssize_t, writev, (int fd, const struct iovec *iov, int count), (fd, iov, count), \
	  syscall(SYS_writev, fd, iov, count)) \
	X(ssize_t, preadv2, (int fd, const struct iovec *iov, int count, off64_t at, int flags), \
	  (fd, iov, count, at, flags), syscall(SYS_preadv2, fd, iov, count, at, 0L, flags)) \
	X(ssize_t, pwritev2, (int fd, const struct iovec *iov, int count, off64_t at, int flags), \
	  (fd, iov, count, at, flags), syscall(SYS_pwritev2, fd, iov, count, at, 0L, flags)) \
	X(int, aio_read, (struct aiocb * job), (job), absent(-1)) \
	X(int, aio_write, (struct aiocb * job), (job), absent(-1)) \
	X(int, lio_listio, (int mode, struct aiocb *const *jobs, int n, struct sigevent *when), \
	  (mode, jobs, n, when), absent(-1)) \
	X(ssize_t, send, (int fd, const void *bytes, size_t n, int flags), (fd, bytes, n, flags), \
	  syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0)) \
	X(ssize_t, sendto, \
	  (int fd, const void *bytes, size_t n, int flags, const struct sockaddr *addr, \
	   socklen_t len), \
	  (fd, bytes, n, flags, addr, len), syscall(SYS_sendto, fd, bytes, n, flags, addr, len)) \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags), \
	  syscall(SYS_sendmsg, fd, msg, flags)) \
	X(int, sendmmsg, (int fd, struct mmsghdr *msgs, unsigned n, int flags), \
	  (fd, msgs, n, flags), syscall(SYS_sendmmsg, fd, msgs, n, flags)) \
	X(ssize_t, sendfile, (int out, int in, off_t *at, size_t n), (out, in, at, n), \
	  syscall(SYS_sendfile, out, in, at, n)) \
	X(ssize_t, splice, \
	  (int in, off_t *in_at, int out, off_t *out_at, size_t n, unsigned flags), \
	  (in, in_at, out, out_at, n, flags), \
	  syscall(SYS_splice, in, in_at, out, out_at, n, flags)) \
	X(int, getpeername, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len), \
	  syscall(SYS_getpeername, fd, addr, len)) \
	X(int, getsockname, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len), \
	  syscall(SYS_getsockname, fd, addr, len)) \
	X(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len), \
	  (fd, level, name, value, len), syscall(SYS_getsockopt, fd, level, name, value, len)) \
	X(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len), \
	  (fd, level, name, value, len), syscall(SYS_setsockopt, fd, level, name, value, len)) \
	X(int, execve, (const char *path, char *const argv[], char *const envp[]), \
	  (path, argv, envp), syscall(SYS_execve, path, argv, envp)) \
	X(int, execvpe, (const char *file, char *const argv[], char *const envp[]), \
	  (file, argv, envp), absent(-1)) \
	X(int, fexecve, (int fd, char *const argv[], char *const envp[]), (fd, argv, envp), \
	  absent(-1)) \
	X(int, execveat, \
	  (int dir, const char *path, char *const argv[], char *const envp[], int flags), \
	  (dir, path, argv, envp, flags), syscall(SYS_execveat, dir, path, argv, envp, flags)) \
	X(int, posix_spawn, \
	  (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, \
	   const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]), \
	  (pid, path, actions, attributes, argv, envp), ENOSYS) \
	X(int, posix_spawnp, \
	  (pid_t * pid, const char *file, const posix_spawn_file_actions_t *actions, \
	   const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]), \
	  (pid, file, actions, attributes, argv, envp), ENOSYS) \
	X(int, posix_spawn_file_actions_adddup2, \
	  (posix_spawn_file_actions_t * actions, int fd, int to), (actions, fd, to), ENOSYS) \
	X(int, system, (const char *command), (command), absent(-1)) \
	X(FILE *, popen, (const char *command, const char *mode), (command, mode), absent(0)) \
	X(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout), \
	  syscall(SYS_poll, fds, n, timeout)) \
	X(int, ppoll, \
	  (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask), \
	  (fds, n, timeout, mask), absent(-1)) \
	X(int, epoll_wait, (int set, struct epoll_event *events, int most, int timeout), \
	  (set, events, most, timeout), \
	  syscall(SYS_epoll_pwait, set, events, most, timeout, NULL, 0L)) \
	X(int, epoll_pwait, \
	  (int set, struct epoll_event *events, int most, int timeout, const sigset_t *mask), \
	  (set, events, most, timeout, mask), \
	  syscall(SYS_epoll_pwait, set, events, most, timeout, mask, (long)_NSIG / 8)) \
	X(int, epoll_pwait2, \
	  (int set, struct epoll_event *events, int most, const struct timespec *timeout, \
	   const sigset_t *mask), \
	  (set, events, most, timeout, mask), absent(-1)) \
	X(int, select, (int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout), \
	  (n, in, out, except, timeout), absent(-1)) \
	X(int, pselect, \
	  (int n, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout, \
	   const sigset_t *mask), \
	  (n, in, out, except, timeout, mask), absent(-1)) \
	X(void *, dlopen, (const char *file, int mode), (file, mode), absent(0)) \
	X(FILE *, fdopen, (int fd, const char *mode), (fd, mode), absent(0)) \
	X(FILE *, freopen, (const char *path, const char *mode, FILE *file), (path, mode, file), \
	  absent(0)) \
	X(int, fwide, (FILE * file, int mode), (file, mode), 0) \
	X(wint_t, fgetwc, (FILE * file), (file), WEOF) \
	X(wint_t, fgetwc_unlocked, (FILE * file), (file), WEOF) \
	X(wint_t, ungetwc, (wint_t c, FILE * file), (c, file), WEOF) \
	X(wint_t, fputwc, (wchar_t c, FILE * file), (c, file), WEOF) \
	X(wint_t, fputwc_unlocked, (wchar_t c, FILE * file), (c, file), WEOF) \
	X(wchar_t *, fgetws, (wchar_t * text, int n, FILE *file), (text, n, file), absent(0)) \
	X(wchar_t *, fgetws_unlocked, (wchar_t * text, int n, FILE *file), (text, n, file), \
	  absent(0)) \
	X(wchar_t *, __fgetws_chk, (wchar_t * text, size_t room, int n, FILE *file), \
	  (text, room, n, file), absent(0)) \
	X(wchar_t *, __fgetws_unlocked_chk, (wchar_t * text, size_t room, int n, FILE *file), \
	  (text, room, n, file), absent(0)) \
	X(int, fputws, (const wchar_t *text, FILE *file), (text, file), absent(-1)) \
	X(int, fputws_unlocked, (const wchar_t *text, FILE *file), (text, file), absent(-1)) \
	X(int, vfwprintf, (FILE * file, const wchar_t *format, va_list args), \
	  (file, format, args), absent(-1)) \
	X(int, __vfwprintf_chk, (FILE * file, int flag, const wchar_t *format, va_list args), \
	  (file, flag, format, args), absent(-1)) \
	X(int, vfwscanf, (FILE * file, const wchar_t *format, va_list args), (file, format, args), \
	  absent(EOF)) \
	X(int, __isoc99_vfwscanf, (FILE * file, const wchar_t *format, va_list args), \
	  (file, format, args), absent(EOF)) \
	X(int, __isoc23_vfwscanf, (FILE * file, const wchar_t *format, va_list args), \
	  (file, format, args), absent(EOF)) \
	X(void, perror, (const char *what), (what), absent(0)) \
	X(int, vdprintf, (int fd, const char *format, va_list args), (fd, format, args), \
	  absent(-1)) \
	X(int, __vdprintf_chk, (int fd, int flag, const char *format, va_list args), \
	  (fd, flag, format, args), absent(-1)) \
	X(int, getaddrinfo, \
	  (const char *node, const char *service, const struct addrinfo *hints, \
	   struct addrinfo **found), \
	  (node, service, hints, found), absent(EAI_SYSTEM)) \
	X(struct hostent *, gethostbyname, (const char *name), (name), absent(0)) \
	X(struct hostent *, gethostbyname2, (const char *name, int family), (name, family), \
	  absent(0)) \
	X(int, gethostbyname_r, \
	  (const char *name, struct hostent *host, char *room, size_t n, struct hostent **found, \
	   int *why), \
	  (name, host, room, n, found, why), absent(ENOSYS)) \
	X(int, gethostbyname2_r, \
	  (const char *name, int family, struct hostent *host, char *room, size_t n, \
	   struct hostent **found, int *why), \
	  (name, family, host, room, n, found, why), absent(ENOSYS))

#define REAL_POINTER(type, name, params, args, without) type(*_Atomic name) params;
struct real {
	REAL_FUNCTIONS(REAL_POINTER)
};
#undef REAL_POINTER

extern struct real real __attribute__((visibility("hidden")));

/* Look up everything that is not looked up yet, so that no hook takes the loader's lock from now
 * on. Keeps errno. */
void real_all(void);

/* dlsym(handle, name), for a library of ours or RTLD_DEFAULT. */
void *real_symbol(void *handle, const char *name);

#endif
