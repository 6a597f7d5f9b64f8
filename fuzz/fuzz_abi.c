/* Whatever guests pass to the host functions of src/guest, whichever first: a result that abi.toml knows, a trap that names the
 * pointer, or a wait; nothing outside their memory is touched, and when they have ended nothing of them is left.
 *
 * Input: steps of three guests on a node without threads whose engine is its double. A step is a byte that says what, and
 * then what it needs; numbers are a byte that says which kind, and for some kinds more bytes. */
#include "guest_world.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

enum {
    GUESTS = WORLD_COMPONENTS,
    MEMORY_BYTES = 2048, /* of a guest; a block of its own, so that a sanitizer sees its edges */
    KEPT = 8,            /* results that later steps can use */
    HANDLE_FIRST = 65536,
    STEPS_MAX = 200,
    ROUNDS_MAX = 100, /* of killing what is left */
};

struct input {
    const uint8_t *data;
    size_t size;
};

struct player {
    struct guest *guest; /* with a reference; NULL: not there */
    uint8_t *memory;
    struct exit leaving; /* what exit() fills */
    struct world_call call;
    bool waits; /* the call has parked: there is no other before it is done */
    bool wide;  /* it answers an i64 */
};

struct play {
    struct guest_world *world;
    struct player players[GUESTS];
    uint64_t kept[KEPT];
    unsigned keeps;
};

static uint8_t take_byte(struct input *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

static uint64_t take_raw(struct input *input, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)take_byte(input) << 8 * i;
    }
    return value;
}

/* What calls wrote for the guest, such as handles. */
static uint32_t word_of(const struct player *player, unsigned which)
{
    uint32_t word = 0;
    if (player->memory != NULL) {
        memcpy(&word, player->memory + (size_t)which * sizeof word, sizeof word);
    }
    return word;
}

static uint64_t take_number(struct play *play, const struct player *player, struct input *input)
{
    static const uint64_t edges[] = {
        0,
        1,
        MEMORY_BYTES,
        MEMORY_BYTES - 1,
        UINT64_MAX,
        UINT32_MAX,
        INT64_MAX,
        INT32_MAX,
        UINT64_C(1) << 63,
        UINT64_C(1) << 31,
        UINT32_MAX - 7,
        MEMORY_BYTES - 64,
        HANDLE_FIRST,
        HANDLE_FIRST + 1,
        HANDLE_FIRST * 2,     /* in the same place, later */
        HANDLE_FIRST + 65535, /* in the last place that there could be */
        HANDLE_FIRST * 32767,
        HANDLE_FIRST - 1,
    };
    uint8_t kind = take_byte(input);
    unsigned which = kind >> 3;
    switch (kind & 7) {
    case 0:
        return which;
    case 1:
        return (uint64_t)which * 64;
    case 2:
        return edges[which % ARRAY_LENGTH(edges)];
    case 3:
        return which < KEPT ? play->kept[which] : word_of(player, which - KEPT);
    case 4: {
        const struct guest *guest = play->players[which % GUESTS].guest;
        return guest == NULL ? 0 : guest->process.pid.raw;
    }
    case 5:
        return take_raw(input, 1);
    case 6:
        return take_raw(input, 4);
    default:
        return take_raw(input, 8);
    }
}

/* ---- guests ---- */

static void player_come(struct play *play, unsigned index)
{
    static const char *const components[GUESTS] = {"parent", "child", "stranger"};
    struct player *player = &play->players[index];
    struct actor_options options = {.kind = index == 0 ? "service" : "worker", .entry = "hang"};
    struct pid pid;
    struct err err;
    *player = (struct player){.guest = NULL};
    if (!actor_spawn(play->world->node, world_line(play->world, components[index]), &options, &pid,
                     NULL, &err)) {
        INVARIANT(err.code == ERR_LIMIT);
        return;
    }
    run_until_idle(play->world->node);
    struct process *process = node_find(play->world->node, pid);
    if (process != NULL) {
        player->guest = CONTAINER_OF(process, struct guest, process);
        player->memory = calloc(1, MEMORY_BYTES);
        INVARIANT(player->memory != NULL);
    }
}

static void player_go(struct player *player)
{
    if (player->guest != NULL) {
        process_release(&TAKE(player->guest)->process);
    }
    free(TAKE(player->memory));
}

static bool is_there(const struct player *player)
{
    return player->guest != NULL && process_phase(&player->guest->process) != PHASE_EXITED;
}

/* ---- calls ---- */

static void check_answer(struct play *play, const struct player *player)
{
    int64_t answer = player->wide ? (int64_t)player->call.call.result
                                  : (int32_t)player->call.call.result;
    /* Pids and times may be any number; errors are those of the table. */
    bool may_be_any = player->call.function == abi_self || player->call.function == abi_parent;
    INVARIANT(answer >= ABI_ABORTED || may_be_any);
    if (answer > ABI_STRATEGY_REST_FOR_ONE) {
        play->kept[play->keeps++ % KEPT] = (uint64_t)answer;
    }
}

static void step_try(struct play *play, struct player *player)
{
    player->guest->leaving = &player->leaving;
    switch (world_try(play->world, &player->call)) {
    case ENGINE_CALL_DONE:
        player->waits = false;
        check_answer(play, player);
        return;
    case ENGINE_CALL_PARK:
        player->waits = true;
        return;
    case ENGINE_CALL_LEAVE:
        process_stop(&player->guest->process, STOP_KILL, "exit()");
        return;
    case ENGINE_CALL_TRAP:
        INVARIANT(strstr(player->call.call.text, "outside the memory") != NULL);
        process_stop(&player->guest->process, STOP_KILL, "trap");
        return;
    }
    BUG("no such result of a call");
}

static void step_call(struct play *play, struct player *player, struct input *input)
{
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    const struct engine_import *import = &imports[take_byte(input) % count];
    size_t parameters = strcspn(import->signature, ":");
    player->wide = import->signature[parameters + 1] == 'I';
    player->call = (struct world_call){.function = import->function};
    struct engine_call *call = &player->call.call;
    call->process = player->guest;
    call->memory = player->memory;
    call->memory_bytes = MEMORY_BYTES;
    for (size_t i = 0; i < parameters; i++) {
        uint64_t number = take_number(play, player, input);
        call->arguments[i] = import->signature[i] == 'i' ? (uint32_t)number : number;
    }
    step_try(play, player);
}

/* Put a number, or bytes, into a guest's memory. */
static void step_poke(struct play *play, struct player *player, struct input *input)
{
    size_t at = (size_t)take_raw(input, 2) % MEMORY_BYTES;
    uint8_t how = take_byte(input);
    uint64_t number = how < 128 ? take_number(play, player, input) : 0;
    const uint8_t *from = (const uint8_t *)&number;
    size_t size = (how & 1) != 0 ? sizeof(uint64_t) : sizeof(uint32_t);
    if (how >= 128) {
        from = input->data;
        size = how - 128U < input->size ? how - 128U : input->size;
        input->data += size;
        input->size -= size;
    }
    size = size < MEMORY_BYTES - at ? size : MEMORY_BYTES - at;
    if (size > 0) {
        memcpy(player->memory + at, from, size);
    }
}

static void step(struct play *play, struct input *input)
{
    enum { CALL_ONE = 4, POKE_ONE = 6, RUN = 7 };
    uint8_t what = take_byte(input);
    struct player *player = &play->players[(what >> 3) % GUESTS];
    if ((what & 7) == RUN) {
        static const uint64_t times[] = {0, 1, WORLD_MS, UINT64_C(1000) * WORLD_MS};
        play->world->env.now_ns += times[(what >> 3) % ARRAY_LENGTH(times)];
        run_until_idle(play->world->node);
        return;
    }
    if (!is_there(player)) {
        player_go(player);
        player_come(play, (unsigned)(player - play->players));
    }
    if (!is_there(player)) {
        return;
    }
    if ((what & 7) <= CALL_ONE) {
        if (player->waits) {
            step_try(play, player);
        } else {
            step_call(play, player, input);
        }
    } else if ((what & 7) <= POKE_ONE) {
        step_poke(play, player, input);
    }
}

/* ---- the end ---- */

/* Supervisors start others in the meantime: round and round. */
static void end_all(struct guest_world *world)
{
    static struct process_info all[64];
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        size_t count = node_list(world->node, all, ARRAY_LENGTH(all));
        for (size_t i = 0; i < count && i < ARRAY_LENGTH(all); i++) {
            (void)process_kill(world->node, all[i].pid, "the end");
        }
        run_until_idle(world->node);
        if (count == 0) {
            return;
        }
    }
    BUG("processes do not end");
}

static void count_names(void *argument, const struct registry_key *key, struct pid pid)
{
    (void)key;
    (void)pid;
    ++*(unsigned *)argument;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct input input = {data, size_bytes};
    static struct play play;
    log_configure(LOG_TEXT, LOG_ERROR);
    play = (struct play){.keeps = 0};
    void *world = NULL;
    int made = world_create(&world);
    INVARIANT(made == 0);
    play.world = world;
    for (unsigned i = 0; i < WORLD_COMPONENTS; i++) {
        world_grants[i].log_lines_per_s = 0;
    }
    for (unsigned i = 0; i < STEPS_MAX && input.size > 0; i++) {
        step(&play, &input);
    }
    end_all(play.world);
    for (unsigned i = 0; i < GUESTS; i++) {
        player_go(&play.players[i]);
    }
    unsigned names = 0;
    for (int kind = 0; kind < (int)REGISTRY_KINDS; kind++) {
        registry_visit(node_registry(play.world->node), (enum registry_kind)kind, count_names,
                       &names);
    }
    INVARIANT(names == 0);
    int left = world_destroy(&world);
    INVARIANT(left == 0);
    return 0;
}
