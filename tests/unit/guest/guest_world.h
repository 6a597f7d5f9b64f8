/**
 * @file
 * A node without threads whose guests are scripts of the engine's double, for tests that call host functions as a guest
 * would: with raw arguments and a memory.
 */
#pragma once

#include "native.h"

#include "guest/abi_internal.h"
#include "guest/actor.h"

enum { WORLD_MEMORY_BYTES = 65536, WORLD_COMPONENTS = 3, WORLD_MS = 1000000 };

struct guest_world {
    struct still_env env;
    struct node *node;
    struct worker *worker;
    struct pool *pool;
    struct catalog *catalog;
    struct component *components[WORLD_COMPONENTS];
    uint8_t memory[WORLD_MEMORY_BYTES]; /**< Of every call. */
};

/** Components "parent", "child" and "stranger" of the same entries: "hang" for ever, "quit" at once, "crash", "ready" (says so, and
 *  hangs). "hang" is the one of child; the others have none. Grants are world_grants, in that order: tests may change them. */
extern struct grant world_grants[WORLD_COMPONENTS];

int world_create(void **state);
int world_destroy(void **state); /**< Nothing may be left: otherwise the test fails. */
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, world_create, world_destroy)

const struct catalog_line *world_line(struct guest_world *world, const char *name);

/** Spawn one that hangs, by the platform, and let it do so; with a reference for the caller. */
struct guest *world_guest(struct guest_world *world, const char *component);

/** Kill one, let it end and give the reference back. */
void world_end(struct guest_world *world, struct guest *guest);

/** One host call under way. */
struct world_call {
    struct engine_call call;
    engine_host_function function;
};

/** Begin one: up to ENGINE_CALL_ARGUMENTS arguments. */
#define WORLD_CALL(world, guest, function, ...)                                                    \
    world_call_begin(world, guest, function, (const uint64_t[ENGINE_CALL_ARGUMENTS]){__VA_ARGS__})
struct world_call world_call_begin(struct guest_world *world, struct guest *guest,
                                   engine_host_function function, const uint64_t *arguments);

/** Try it, or try again, in the guest's turn. */
enum engine_call_result world_try(struct guest_world *world, struct world_call *call);

/** One that is done at once: its result. */
#define WORLD_DO(world, guest, function, ...)                                                      \
    world_do(world, WORLD_CALL(world, guest, function, __VA_ARGS__))
int32_t world_do(struct guest_world *world, struct world_call call);

/** One that ends the guest for what it passed. */
#define WORLD_TRAP(world, guest, function, ...)                                                    \
    world_trap(world, WORLD_CALL(world, guest, function, __VA_ARGS__))
void world_trap(struct guest_world *world, struct world_call call);

/** Copy a text into the memory. Its size. */
uint64_t world_put(struct guest_world *world, uint32_t at, const char *text);
