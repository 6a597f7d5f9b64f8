/**
 * @file
 * What spawn() and supervisor_start() share: whom a guest may spawn, and where its children are counted.
 *
 * Threads: the calling guest's owner, within its turn.
 */
#pragma once

#include "guest/abi_table.h"
#include "guest/actor.h"

enum { SPAWN_NAME_BYTES_MAX = 255 };

/** A component, or an entry of one, that a guest may spawn. */
struct spawn_target {
    const struct catalog_line *line;
    char entry[SPAWN_NAME_BYTES_MAX + 1]; /**< "": the line's own. */
    struct edition *const *editions;      /**< As actor_options'; spawn_target_find() says NULL. */
};

/** Look "component" or "component#export" up. 0, or what the host function answers: ABI_INVALID, ABI_DENIED (not in
 *  allow-spawn; noted in the log), ABI_NOT_FOUND. */
int32_t spawn_target_find(struct guest *guest, const char *what, const char *text,
                          size_t size_bytes, struct spawn_target *ret);

/** Where the guest's children are counted; made if need be. NULL: out of memory. */
struct nursery *spawn_nursery(struct guest *guest);

/** Spawn it as a worker, as spawn() does. 0, or the error. */
int32_t spawn_now(struct guest *guest, const struct spawn_target *target,
                  const struct abi_spawn_options *asked, const uint8_t *input, size_t input_bytes,
                  struct abi_spawned *ret);

/** Read where options (0: none) and result (0: not wanted) are, and what the options say. False: trap. */
bool spawn_read_options(struct engine_call *call, uint64_t options, uint64_t result,
                        struct abi_spawn_options *ret_options, uint8_t **ret_window) MUST_USE;

/** Whether they say something that there is. */
bool spawn_options_valid(const struct abi_spawn_options *options);

/** The ABI's number for a spawn that failed; what the operator can do something about is logged. */
int32_t spawn_error(struct guest *guest, const struct err *err);
