/**
 * @file
 * The layout of a guest, for the files of this folder that implement its host functions.
 */
#pragma once

#include "guest/guest.h"

struct edition;
struct handle_table;
struct nursery;
struct order;
struct post;

/** How often one process may write log lines: a window of a second. */
struct log_window {
    uint64_t began_ns;
    uint32_t lines, suppressed;
    uint64_t denied_ns; /* guest_denial.c: when a refusal was last noted; 0: never */
};

struct guest {
    struct process process;        /* first: the engine and core hand out its address */
    struct component *component;   /* constant */
    const struct grant *grant;     /* constant: the component's, or a narrower one of the role's */
    struct engine_fiber *fiber;    /* owner; NULL once reclaimed */
    const struct guest_role *role; /* constant */
    void *context;                 /* constant */
    struct edition *edition;       /* owner: the code that it runs; a reference until reclaimed */
    struct log_window log;         /* owner */
    struct nursery *born_in;       /* constant once started: where it is counted; NULL: nowhere */
    struct nursery *nursery;       /* owner: counts its own children; NULL: never had one */
    struct handle_table *handles;  /* owner: ends of streams (handle.c); NULL: never had one */
    struct fetch_table *fetches; /* owner: requests to others (abi_fetch.c); NULL: never had one */
    struct order *order;         /* owner: a spawn_from() under way (abi_dynamic.c); NULL: none */
    struct post *post;    /* owner: mail and calls under way (abi_internal.h); NULL: none ever */
    struct exit *leaving; /* owner: of the turn under way, what exit() fills */
    struct network_policy *network; /* constant: its grant's, retained; NULL: nothing */
    unsigned seat;                  /* constant: the worker whose engine it was born in */
    unsigned transfers;             /* owner: requests of a component that are under way */
    bool yielded;                   /* owner: its tick said yield in this turn */
    bool full;                      /* owner: the engine had no room for it */
    bool announced;                 /* owner: a service that has said that it has started */
    bool asked_to_stop;             /* owner: it was told so: its return is a shutdown */
    bool left;    /* owner: by exit(): it stays parked in that call until it is reclaimed */
    bool streams; /* owner: see guest_begin_stream() */
    atomic_uint_least64_t memory_bytes; /* the engine writes, any thread reads: of linear memory */
};

/** The guest that a process is, or NULL: another kind of body. Any thread. */
const struct guest *guest_from_process(const struct process *process);

/** Whether it streams to a client that has left: it waits for nothing any more. Owner. */
bool guest_is_deserted(struct guest *guest);

/** Whether a guest may know of that process: of its own namespace, or one of allow-namespaces. Any thread. */
bool guest_reaches(const struct guest *guest, const struct process *target);
