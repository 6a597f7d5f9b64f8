/**
 * @file
 * Why a process ended, as links and monitors carry it: shared by all that are told of it, and passed on
 * unchanged, hop after hop (OTP Reference Manual, "Processes", "Error handling").
 *
 * Life:    made when a process exits that somebody watches, or by whoever sends an exit signal; freed with
 *          its last holder. When there is no memory for one, a constant one stands in, so that exiting cannot
 *          fail.
 * Threads: constant once made; the count is for any thread.
 */
#pragma once

#include "core/exit.h"

struct reason {
    atomic_uint holders;        /* any thread; not counted for constant ones */
    bool constant;              /* one of reason_of() */
    enum exit_class exit_class; /* of the process that ended first */
    int status;
    size_t size_bytes;
    const char *text; /* terminated besides */
};

/** The constant reasons. */
enum reason_word {
    REASON_NORMAL,
    REASON_SHUTDOWN,
    REASON_KILL,   /**< As `exit(pid, kill)` says it: cannot be trapped. */
    REASON_KILLED, /**< What its victim's links and monitors see. */
    REASON_NOPROC,
    REASON_NOCONNECTION,
    REASON_UNKNOWN, /**< There was no memory for the text. */
};
struct reason *reason_of(enum reason_word word);

/** A reason with a copy of the text, at most EXIT_REASON_BYTES - 1 of it; the words "normal", "shutdown", "kill" and
 *  "killed" give the constant ones, but not for a crash, whose message may be any word. Never NULL. One reference, the
 *  caller's. */
struct reason *reason_create(enum exit_class exit_class, int status, const char *text,
                             size_t size_bytes);

/** What an exit is to others: "normal", "shutdown", "killed", or its text; "crashed: cpu" and the like
 *  where the text is empty. */
struct reason *reason_from_exit(const struct exit *exit);

struct reason *reason_retain(struct reason *reason);
void reason_release(struct reason *reason); /**< NULL is allowed. */

/** Whether it is that word. */
static inline bool reason_is(const struct reason *reason, enum reason_word word)
{
    return reason == reason_of(word);
}
