/**
 * @file
 * A folder whose files answer requests: ranges, conditional requests, precompressed siblings, an index
 * for each folder in it.
 *
 * A path is followed by the kernel below the folder, which is opened once: neither ".." nor a link leads out of it
 * (openat2; where that is missing no link is followed at all). Only regular files are served.
 *
 * Life:    static_folder_open() -> requests -> static_folder_close(), when the server is gone.
 * Threads: constant once open; requests on any loop.
 */
#pragma once

#include "core/env.h"
#include "serve/exchange.h"

/** Texts are borrowed. */
struct static_options {
    const char *folder;
    const char *index;         /**< What a path that ends in "/" means; NULL: nothing. */
    const char *fallback;      /**< Answers, with 200, for what is not there; NULL: 404. */
    const char *cache_control; /**< NULL: no such header. */
    bool
        precompressed; /**< "x.br" and "x.gz" stand for "x", unless that has been modified since. */
    bool dotfiles;     /**< Whether names may begin with ".". */
};

struct static_folder {
    struct static_options options;
    int fd;
};

/** @return false: ERR_OS, ERR_NOT_FOUND; static_folder_close() is not needed */
bool static_folder_open(struct static_folder *folder, const struct static_options *options,
                        struct err *err) MUST_USE;
void static_folder_close(struct static_folder *folder);

/** Answer a GET or HEAD whose route was "PREFIX/" and "*", or without these two: then by sending the client to
 *  "PREFIX/". Takes the reference. */
void static_folder_answer(const struct static_folder *folder, struct exchange *exchange,
                          struct env *env);
