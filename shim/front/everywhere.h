/* SPDX-License-Identifier: MIT
 * everywhere: is the library in every program of this machine, by /etc/ld.so.preload? Then `env -i`
 * does not take it out, and the guard has nothing against that.
 *
 *   /usr/$LIB/libstarttls.so ── at the start ──► the loader: is that us?      (it alone knows what $LIB is)
 *                            ── at exec() ─────► is it still in the file, under the same root directory, for the same loader?
 *
 * Programs that get rights of their own (AT_SECURE) have the library by it too, but not the policy
 * of who starts them: they stay the guard's business. */
#ifndef STARTTLS_EVERYWHERE_H
#define STARTTLS_EVERYWHERE_H

/* At the start of a process that `starttls run` stands behind. library: the one that run has
 * preloaded, up to a colon or the end. Memory may be taken. */
void everywhere_begin(const char *library);

/* The loader (PT_INTERP) whose every program has the library as things are now; NULL: there is
 * none. Static. Works in the child of vfork(). */
const char *everywhere_loader(void);

#endif
