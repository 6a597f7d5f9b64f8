/* The guest of fuzz_component: plays what its input says, with raw calls of everything that a component can import, and with an
 * allocator that lies. make.sh makes component.wasm of it.
 *
 * Input: steps. A step is a byte that says what, and then what it needs: a call takes each of its numbers from there. */
#include <stdint.h>

enum {
    KEPT = 16,
    RESOURCES_MAX = 48, /* kinds of them */
    RESOURCES_KEPT = 8, /* of each */
    STEPS_MAX = 64,
    PLACE_BYTES = 256,
    HEAP_BYTES = 32768,
    INPUT_BYTES_MAX = 16384,
    PAGE_BYTES = 65536,
};

enum allocator {
    HONEST,
    NOWHERE,     /* address 0 */
    AT_THE_EDGE, /* the last bytes of the memory */
    BEYOND,      /* one more than those */
    FAR,
    CROOKED, /* not aligned */
    DEAD,
    REENTERING, /* calls the platform, which it may not */
    GROWING,
    SAME, /* the same for everything: it overlaps */
    INTO_THE_PLACE,
    ALLOCATORS,
};

static uint8_t heap[HEAP_BYTES] __attribute__((aligned(16)));
static uint8_t input[INPUT_BYTES_MAX] __attribute__((aligned(16)));
static uint8_t place[PLACE_BYTES] __attribute__((aligned(16)));
static struct resources {
    uint32_t count;
    uint32_t numbers[RESOURCES_KEPT];
} resources[RESOURCES_MAX];
static uint64_t kept[KEPT];
static uint32_t keeps, heap_used, input_at, input_size, span_size, calls_last, lacking;
static enum allocator allocator;

static const char *const texts[] = {
    "",     "child",    "guest",          "main",         "local", "name", "GET",
    "host", "x-header", "http://[::1]:1", "Content-Type", "/",     ".",    "guest.c",
};

static uint32_t memory_bytes(void)
{
    return (uint32_t)__builtin_wasm_memory_size(0) * PAGE_BYTES;
}

/* ---- the input ---- */

static uint8_t take_byte(void)
{
    return input_at < input_size ? input[input_at++] : 0;
}

static uint64_t take_raw(uint32_t bytes)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        value |= (uint64_t)take_byte() << 8 * i;
    }
    return value;
}

static uint64_t edge(uint32_t which)
{
    switch (which) {
    case 0:
        return memory_bytes();
    case 1:
        return memory_bytes() - 1;
    case 2:
        return memory_bytes() - 8;
    case 3:
        return UINT32_MAX;
    case 4:
        return UINT64_MAX;
    case 5:
        return INT32_MAX;
    case 6:
        return INT64_MAX;
    case 7:
        return (uintptr_t)heap + 1;
    case 8:
        return UINT64_C(1) << 31;
    case 9:
        return UINT64_C(1) << 63;
    case 10:
        return UINT64_C(1) << 29; /* times 8: nothing left of it in 32 bits */
    default:
        return (uintptr_t)place;
    }
}

static uint64_t take_number(void)
{
    uint8_t kind = take_byte();
    uint32_t which = kind >> 3;
    switch (kind & 7) {
    case 0:
    case 1:
        return which;
    case 2:
        return (uint64_t)which * 64;
    case 3:
        return edge(which);
    case 4:
    case 5:
        return kept[which % KEPT];
    case 6:
        return take_raw(4);
    default:
        return take_raw(8);
    }
}

/* Of so many cases. */
static uint32_t take_case(uint32_t count)
{
    uint8_t kind = take_byte();
    return kind < 252 ? kind % count : (uint32_t)take_number();
}

/* A number that a call gave. */
static uint64_t take_kept(void)
{
    uint8_t kind = take_byte();
    return kind < 208 ? kept[kind % KEPT] : kind < 240 ? kind & 15 : take_number();
}

static struct resources *resources_of(uint32_t kind)
{
    return &resources[kind % RESOURCES_MAX];
}

/* Mostly one that is there and of that kind; without one, there is no call. */
static uint32_t take_resource(uint32_t kind, uint32_t *ret_which)
{
    uint8_t how = take_byte();
    if (how >= 248) {
        return (uint32_t)take_number();
    }
    struct resources *of = resources_of(how >= 240 ? how : kind);
    *ret_which = of->count > 0 ? how % of->count : RESOURCES_KEPT;
    lacking |= of->count == 0;
    return of->numbers[*ret_which % RESOURCES_KEPT];
}

static uint32_t take_lent(uint32_t kind)
{
    uint32_t which = 0;
    return take_resource(kind, &which);
}

/* It is the callee's then, and mostly forgotten here. */
static uint32_t take_owned(uint32_t kind)
{
    uint32_t which = RESOURCES_KEPT;
    uint32_t number = take_resource(kind, &which);
    struct resources *of = resources_of(kind);
    if (which < of->count && (take_byte() & 31) != 0) {
        of->numbers[which] = of->numbers[--of->count];
    }
    return number;
}

static uint32_t is_lacking(void)
{
    uint32_t was = lacking;
    lacking = 0;
    return was;
}

static uint32_t take_span(void)
{
    uint8_t kind = take_byte();
    if (kind < 232) {
        uint32_t at = input_at;
        span_size = kind & 31;
        input_at += kind & 32 ? span_size : 0;
        return (uint32_t)(uintptr_t)input + (kind & 192 ? at & ~7U : at) % INPUT_BYTES_MAX;
    }
    uint32_t at = (uint32_t)take_number();
    span_size = (uint32_t)take_number();
    return at;
}

static uint32_t take_text(void)
{
    uint8_t kind = take_byte();
    if (kind >= 244) {
        return take_span();
    }
    const char *text = texts[kind % (sizeof texts / sizeof texts[0])];
    for (span_size = 0; text[span_size] != '\0'; span_size++) {
    }
    return (uint32_t)(uintptr_t)text;
}

static uint32_t take_size(void)
{
    return span_size;
}

static uint32_t take_place(void)
{
    uint8_t kind = take_byte();
    return kind < 232 ? (uint32_t)(uintptr_t)place : (uint32_t)take_number();
}

static void keep(uint64_t value)
{
    kept[keeps++ % KEPT] = value;
}

static void keep_resource(uint32_t number, uint32_t kind)
{
    struct resources *of = resources_of(kind);
    if (of->count < RESOURCES_KEPT) {
        of->numbers[of->count++] = number;
    }
}

/* What a result holds, when it is a good one. */
static void keep_at(uint32_t at, uint32_t kind)
{
    if (at == 0 || place[0] == 0) {
        keep_resource(*(uint32_t *)(place + at), kind);
    }
}

#include "calls.inc"

/* ---- its memory ---- */

static uint32_t allocate(uint32_t align, uint32_t size)
{
    uint32_t at = (heap_used + align - 1) & ~(align - 1);
    if (size > HEAP_BYTES || at > HEAP_BYTES - size) {
        at = 0;
    }
    heap_used = at + size;
    return (uint32_t)(uintptr_t)heap + at;
}

__attribute__((export_name("cabi_realloc"))) uint32_t cabi_realloc(uint32_t old, uint32_t old_size,
                                                                   uint32_t align, uint32_t size)
{
    (void)old;
    (void)old_size;
    switch (allocator) {
    case HONEST:
        if (size > HEAP_BYTES) {
            __builtin_trap();
        }
        return allocate(align, size);
    case NOWHERE:
        return 0;
    case AT_THE_EDGE:
        return (memory_bytes() - size) & ~(align - 1);
    case BEYOND:
        return (memory_bytes() - size + align) & ~(align - 1);
    case FAR:
        return UINT32_MAX & ~(align - 1);
    case CROOKED:
        return (uint32_t)(uintptr_t)heap + 1;
    case DEAD:
        __builtin_trap();
    case REENTERING:
        play(calls_last);
        return allocate(align, size);
    case GROWING:
        return __builtin_wasm_memory_grow(0, 1) == SIZE_MAX ? 0 : memory_bytes() - PAGE_BYTES;
    case SAME:
        return (uint32_t)(uintptr_t)heap;
    case INTO_THE_PLACE:
        return (uint32_t)(uintptr_t)place;
    case ALLOCATORS:
        break;
    }
    __builtin_trap();
}

static void poke(void)
{
    uint32_t at = (uint32_t)take_number();
    uint32_t size = take_byte() & 31;
    for (uint32_t i = 0; i < size; i++) {
        uint8_t byte = take_byte();
        if (at < memory_bytes() - size) {
            ((volatile uint8_t *)(uintptr_t)at)[i] = byte;
        }
    }
}

/* ---- steps ---- */

static void call(uint32_t which)
{
    for (uint32_t i = 0; i < 16; i++) {
        place[i] = 0;
    }
    calls_last = which % CALLS;
    play(calls_last);
    /* What a result holds lies behind its case. */
    if (place[0] == 0) {
        keep(*(uint32_t *)(place + 4));
        keep(*(uint64_t *)(place + 8));
    }
}

static void step(void)
{
    enum { NEAR = 144, ANY = 232, ALLOCATOR = 240, POKE = 250 };
    uint8_t what = take_byte();
    if (what < NEAR) {
        call(calls_last + CALLS + (what & 15) - 8);
    } else if (what < ANY) {
        call((uint32_t)take_raw(2));
    } else if (what < ALLOCATOR) {
        allocator = take_byte() % ALLOCATORS;
    } else if (what < POKE) {
        poke();
    } else {
        (void)__builtin_wasm_memory_grow(0, what - POKE);
    }
}

__attribute__((export_name("run"))) void run(void)
{
    uint32_t *given = (uint32_t *)place;
    call_input_get((uint32_t)(uintptr_t)given);
    input_size = given[1] < INPUT_BYTES_MAX ? given[1] : INPUT_BYTES_MAX;
    for (uint32_t i = 0; i < input_size; i++) {
        input[i] = ((const uint8_t *)(uintptr_t)given[0])[i];
    }
    heap_used = 0;
    for (uint32_t i = 0; i < STEPS_MAX && input_at < input_size; i++) {
        step();
    }
}

/* A child stays until it is ended. */
__attribute__((export_name("stay"))) void stay(void)
{
    call_sleep(UINT64_C(86400000000000), (uint32_t)(uintptr_t)place);
}
