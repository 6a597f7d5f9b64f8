/**
 * @file
 * Listening sockets that whoever started this program hands over, as descriptors from 3 on that
 * environment variables name (sd_listen_fds(3)): a service manager, or a node of ours whose place this
 * one takes (`mote reload`). And the other side of it: what a node hands over.
 *
 *   LISTEN_PID      whom they are for: this process, or (by a predecessor) its parent
 *   LISTEN_FDS      how many
 *   LISTEN_FDNAMES  what they are called, with ":" between them
 *   MOTE_HANDOVER   by a predecessor only: "C:E", its end of the control channel C, and E, where standard
 *                   error goes once the place is taken
 *
 * A socket is known by a key: `listen` as the manifest of the predecessor had it, or "systemd:NAME".
 *
 * The channel carries single bytes: READY from the successor, GO from the predecessor, SERVING from the
 * successor. Until SERVING the predecessor serves on; its end tells that there is none any more.
 *
 * Life:    zeroed -> inheritance_read() -> sockets are taken -> inheritance_settle() or end of program.
 * Threads: the main thread.
 */
#pragma once

#include "base/bytes.h"
#include "serve/endpoint.h"

enum {
    INHERITANCE_FIRST = 3, /**< The first descriptor. */
    INHERITANCE_MAX = 1024,
};

enum handover_word { HANDOVER_READY = 'R', HANDOVER_GO = 'G', HANDOVER_SERVING = 'S' };

struct inherited {
    int fd;     /**< -1: taken. */
    char *key;  /**< Owned. */
    bool owned; /**< Of a unix socket: its file is to be removed by whoever ends with it. */
    struct endpoint endpoint;
};

struct inheritance {
    struct inherited *sockets;
    size_t count;
    bool succeeds;            /**< A predecessor serves, and waits for us. */
    int control_fd, error_fd; /**< While `succeeds`; -1 otherwise. */
};

/** The variables' values; NULL: not set. */
struct inheritance_variables {
    const char *pid, *fds, *names, *handover;
};

/** What the variables say to process `self`, child of `parent`. Pure: no descriptor is touched. Variables
 *  that are meant for another process give nothing, and true.
 *  @return false: ERR_INPUT (they contradict themselves), ERR_MEMORY; nothing is left */
bool inheritance_parse(const struct inheritance_variables *variables, pid_t self, pid_t parent,
                       struct inheritance *ret, struct err *err) MUST_USE;

/** The same of the real environment, whose variables are removed; every descriptor is looked at.
 *  @return false: also when one is no listening stream socket */
bool inheritance_read(struct inheritance *ret, struct err *err) MUST_USE;

/** Free the memory; what was not taken stays open. A zeroed one is fine. */
void inheritance_fini(struct inheritance *inheritance);
static inline void inheritance_finip(struct inheritance *inheritance)
{
    inheritance_fini(inheritance);
}

/** Take the sockets of that key, or, where there are none, those that listen at `endpoint` (NULL: no
 *  matter). They are the caller's then.
 *  @param ret_endpoint  where the first one really listens
 *  @param ret_owned     what `owned` was
 *  @return how many, at most `max`; what is above is closed with the rest */
unsigned inheritance_take(struct inheritance *inheritance, const char *key,
                          const struct endpoint *endpoint, int *ret_sockets, unsigned max,
                          struct endpoint *ret_endpoint, bool *ret_owned);

/** Whether there are sockets of that key; sets `ret` to where the first one listens. */
bool inheritance_find(const struct inheritance *inheritance, const char *key, struct endpoint *ret);

/** Say to the predecessor that all is ready, and wait until it lets us go on. True at once without
 *  one; also when it has died meanwhile, for then somebody has to serve.
 *  @return false: ERR_OS, ERR_LIMIT (no answer in time) */
bool inheritance_announce(struct inheritance *inheritance, struct err *err) MUST_USE;

/** The place is taken: have standard error back, tell the predecessor, and close what nobody took, with
 *  its files. Each such socket is told in the log. */
void inheritance_settle(struct inheritance *inheritance);

/* ---- To hand over ---- */

/** What a successor is given. Descriptors are borrowed. */
struct handover {
    int fds[INHERITANCE_MAX];
    unsigned count;
    struct bytes names; /**< LISTEN_FDNAMES so far, without a zero. */
};

void handover_fini(struct handover *handover);

/** False: ERR_MEMORY, ERR_LIMIT. */
bool handover_add(struct handover *handover, int fd, const char *key, bool owned, struct err *err)
    MUST_USE;
