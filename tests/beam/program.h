/**
 * @file
 * The programs of tests/beam in memory: actors with their lines, supervisors with their children. The text form
 * is in README.md.
 */
#pragma once

#include "core/supervisor.h"

enum {
    WORDS_MAX = 8,
    WORD_BYTES = 24,
    LINES_MAX = 32,
    ACTORS_MAX = 16,
    SUPERS_MAX = 4,
    REFUSALS_MAX = 4
};

struct line {
    char words[WORDS_MAX][WORD_BYTES]; /**< Unused ones are empty. */
};

struct actor {
    char name[WORD_BYTES];
    struct line lines[LINES_MAX];
    size_t line_count;
    unsigned refusals[REFUSALS_MAX]; /**< Which of its starts fail, from 1; 0: none. */
};

struct super_child {
    char name[WORD_BYTES];
    enum supervisor_restart restart;
    uint64_t shutdown_ns;
};

struct super {
    char name[WORD_BYTES];
    enum supervisor_strategy strategy;
    uint32_t max_restarts;
    uint64_t window_ns;
    struct super_child children[ACTORS_MAX];
    size_t child_count;
};

struct program {
    struct actor actors[ACTORS_MAX];
    size_t actor_count;
    struct super supers[SUPERS_MAX];
    size_t super_count;
    uint64_t
        quiet_ns; /**< Time that passes after the last thing has happened, for what depends on it. */
};

/** Read a program; ends the test run with a message when there is no such file or it is no program. */
void program_read(struct program *program, const char *path);

/** NULL: none of that name. */
const struct actor *program_actor(const struct program *program, const char *name);
const struct super *program_super(const struct program *program, const char *name);
