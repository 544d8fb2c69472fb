/* SPDX-License-Identifier: MIT
 * hook_identity: chroot(), setuid() and kin: the policy is read while it can be.
 *
 *   root:  read STARTTLS_POLICY (mode 0600) ─► setuid(daemon) ─► connect(): its rules hold
 *
 * Of a policy that cannot be read nobody knows which odd ports it is about; connections to those
 * would go out in plaintext, and behind chroot() it might as well not be there at all. So it is
 * read before, once, as at a first connection.
 *
 * Surprising: who changes his user goes on with the policy that somebody has named for this
 * program. The one that he might have under HOME is his own, so without a name it stays unread
 * until there is a connection. */
#include "ask.h"
#include "hook.h"
#include "process.h"
#include "start.h"
#include <grp.h>
#include <unistd.h>

static SLOW void prepare(void)
{
	if (!process_borrowed())
		ask_prepare();
}

static SLOW void prepare_named(void)
{
	if (!ask_readable() && start_names_policy())
		prepare();
}

HOOK int chroot(const char *path)
{
	prepare();
	return real.chroot(path);
}

HOOK int setuid(uid_t id)
{
	prepare_named();
	return real.setuid(id);
}

HOOK int seteuid(uid_t id)
{
	prepare_named();
	return real.seteuid(id);
}

HOOK int setreuid(uid_t own, uid_t effective)
{
	prepare_named();
	return real.setreuid(own, effective);
}

HOOK int setresuid(uid_t own, uid_t effective, uid_t saved)
{
	prepare_named();
	return real.setresuid(own, effective, saved);
}

HOOK int setgid(gid_t id)
{
	prepare_named();
	return real.setgid(id);
}

HOOK int setegid(gid_t id)
{
	prepare_named();
	return real.setegid(id);
}

HOOK int setregid(gid_t own, gid_t effective)
{
	prepare_named();
	return real.setregid(own, effective);
}

HOOK int setresgid(gid_t own, gid_t effective, gid_t saved)
{
	prepare_named();
	return real.setresgid(own, effective, saved);
}

HOOK int setgroups(size_t n, const gid_t *ids)
{
	prepare_named();
	return real.setgroups(n, ids);
}

HOOK int initgroups(const char *user, gid_t id)
{
	prepare_named();
	return real.initgroups(user, id);
}
