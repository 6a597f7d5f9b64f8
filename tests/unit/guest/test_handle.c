/* Byte streams between processes: their ends, what happens to them, and who is woken. */
#include "guest_world.h"

#include "base/log.h"
#include "guest/handle.h"

#include <string.h>

enum { PAIR = 1024, BUFFER = 2048, FOR_EVER = -1 };

static struct abi_stream_pair open_stream(struct guest_world *world, struct guest *guest,
                                          uint32_t limit)
{
    assert_int_equal(WORLD_DO(world, guest, abi_stream_open, limit, PAIR), 0);
    struct abi_stream_pair pair;
    memcpy(&pair, world->memory + PAIR, sizeof pair);
    assert_true(pair.reader > 0);
    assert_true(pair.writer > 0);
    return pair;
}

static uint64_t arg(int32_t handle)
{
    return (uint32_t)handle;
}

static int32_t write_text(struct guest_world *world, struct guest *guest, int32_t handle,
                          const char *text)
{
    uint64_t size = world_put(world, BUFFER, text);
    return WORLD_DO(world, guest, abi_stream_write, arg(handle), BUFFER, size, 0);
}

static int32_t read_some(struct guest_world *world, struct guest *guest, int32_t handle)
{
    memset(world->memory + BUFFER, 0, 16);
    return WORLD_DO(world, guest, abi_stream_read, arg(handle), BUFFER, 16, 0);
}

/* Give an end to another process by way of a message, as send() and receive() do. */
static int32_t hand_over(struct guest *from, int32_t handle, struct guest *to)
{
    struct cargo *cargo = handle_take(from, handle);
    assert_non_null(cargo);
    int32_t there = handle_accept(to, cargo);
    assert_true(there > 0);
    return there;
}

static void what_is_written_is_read_in_order_until_the_end(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    struct abi_stream_pair pair = open_stream(world, guest, 0);
    assert_int_equal(write_text(world, guest, pair.writer, "hello "), 6);
    assert_int_equal(write_text(world, guest, pair.writer, "world"), 5);
    assert_int_equal(write_text(world, guest, pair.writer, ""), 0);
    assert_int_equal(read_some(world, guest, pair.reader), 11);
    assert_memory_equal(world->memory + BUFFER, "hello world", 11);
    assert_int_equal(read_some(world, guest, pair.reader), ABI_TIMEOUT);
    assert_int_equal(write_text(world, guest, pair.writer, "rest"), 4);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_end, arg(pair.writer)), 0);
    assert_int_equal(read_some(world, guest, pair.reader), 4);
    assert_int_equal(read_some(world, guest, pair.reader), 0);
    assert_int_equal(read_some(world, guest, pair.reader), 0);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_close, arg(pair.reader)), 0);
    assert_int_equal(handle_count(guest), 0);
    world_end(world, guest);
}

static void a_stale_or_foreign_or_wrong_handle_is_an_error(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    struct guest *other = world_guest(world, "child");
    assert_int_equal(read_some(world, guest, 65536), ABI_NOT_FOUND);
    struct abi_stream_pair pair = open_stream(world, guest, 0);
    struct abi_stream_pair theirs = open_stream(world, other, 0);
    assert_int_equal(WORLD_DO(world, other, abi_stream_close, arg(theirs.reader)), 0);
    assert_int_equal(WORLD_DO(world, other, abi_stream_close, arg(theirs.writer)), 0);
    static const int32_t wrong[] = {0, -1, 1, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        assert_int_equal(read_some(world, guest, wrong[i]), ABI_NOT_FOUND);
        assert_int_equal(write_text(world, guest, wrong[i], "x"), ABI_NOT_FOUND);
        assert_int_equal(WORLD_DO(world, guest, abi_stream_end, arg(wrong[i])), ABI_NOT_FOUND);
        assert_int_equal(WORLD_DO(world, guest, abi_stream_abort, arg(wrong[i]), 1), ABI_NOT_FOUND);
        assert_int_equal(WORLD_DO(world, guest, abi_stream_close, arg(wrong[i])), ABI_NOT_FOUND);
        assert_int_equal(WORLD_DO(world, guest, abi_stream_reason, arg(wrong[i])), ABI_NOT_FOUND);
        assert_int_equal(handle_ready(guest, wrong[i], HANDLE_READABLE), ABI_NOT_FOUND);
        assert_null(handle_take(guest, wrong[i]));
    }
    /* A number of another process is nobody's here. */
    assert_int_equal(read_some(world, other, pair.reader), ABI_NOT_FOUND);
    assert_int_equal(read_some(world, guest, pair.writer), ABI_MISPLACED);
    assert_int_equal(write_text(world, guest, pair.reader, "x"), ABI_MISPLACED);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_end, arg(pair.reader)), ABI_MISPLACED);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_abort, arg(pair.reader), 1), ABI_MISPLACED);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_reason, arg(pair.writer)), ABI_MISPLACED);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_abort, arg(pair.writer), 0), ABI_INVALID);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_close, arg(pair.reader)), 0);
    struct abi_stream_pair again = open_stream(world, guest, 0);
    assert_int_not_equal(again.reader, pair.reader);
    assert_int_equal(read_some(world, guest, pair.reader), ABI_NOT_FOUND);
    world_end(world, guest);
    world_end(world, other);
}

static void a_number_comes_back_only_after_all_its_generations(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    struct abi_stream_pair first = open_stream(world, guest, 0);
    struct cargo *cargo = handle_take(guest, first.writer);
    unsigned rounds = 0;
    for (int32_t handle = 0; handle != first.writer; rounds++) {
        handle = handle_accept(guest, cargo);
        assert_true(handle > 0);
        assert_ptr_equal(handle_take(guest, handle), cargo);
    }
    assert_int_equal(rounds, INT32_MAX >> 16);
    handle_restore(guest, first.writer, cargo);
    assert_int_equal(write_text(world, guest, first.writer, "x"), 1);
    world_end(world, guest);
}

static void bad_pointers_trap_and_bad_sizes_and_times_are_invalid(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    struct abi_stream_pair pair = open_stream(world, guest, 0);
    WORLD_TRAP(world, guest, abi_stream_open, 0, WORLD_MEMORY_BYTES - 4);
    WORLD_TRAP(world, guest, abi_stream_open, 0, UINT32_MAX);
    WORLD_TRAP(world, guest, abi_stream_read, arg(pair.reader), WORLD_MEMORY_BYTES - 1, 2, 0);
    WORLD_TRAP(world, guest, abi_stream_write, arg(pair.writer), 8, UINT32_MAX, 0);
    WORLD_TRAP(world, guest, abi_stream_write, arg(pair.writer), UINT32_MAX, 16, 0);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_read, arg(pair.reader), 0, 0, 0),
                     ABI_INVALID);
    uint64_t year = ABI_TIME_MAX_NS;
    assert_int_equal(WORLD_DO(world, guest, abi_stream_read, arg(pair.reader), 0, 8, year + 1),
                     ABI_INVALID);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_write, arg(pair.writer), 0, 8, (uint64_t)-2),
                     ABI_INVALID);
    assert_int_equal(handle_count(guest), 2);
    world_end(world, guest);
}

static void the_quotas_are_the_grants(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    assert_int_equal(WORLD_DO(world, guest, abi_stream_open, 4097, PAIR), ABI_LIMIT);
    struct abi_stream_pair last = {0};
    for (unsigned i = 0; i < 3; i++) {
        last = open_stream(world, guest, 4096);
    }
    assert_int_equal(WORLD_DO(world, guest, abi_stream_open, 1, PAIR), ABI_LIMIT);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_close, arg(last.reader)), 0);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_open, 1, PAIR), ABI_LIMIT); /* takes two */
    /* One more may come, and then none. */
    struct guest *other = world_guest(world, "child");
    struct abi_stream_pair theirs = open_stream(world, other, 0);
    (void)hand_over(other, theirs.reader, guest);
    struct cargo *cargo = handle_take(other, theirs.writer);
    assert_int_equal(handle_accept(guest, cargo), ABI_LIMIT);
    handle_restore(other, theirs.writer, cargo);
    assert_int_equal(write_text(world, other, theirs.writer, "x"), 1);
    world_end(world, guest);
    world_end(world, other);
}

static void a_grant_without_streams_opens_none(void **state)
{
    struct guest_world *world = *state;
    world_grants[0].streams_max = 0;
    struct guest *guest = world_guest(world, "parent");
    assert_int_equal(WORLD_DO(world, guest, abi_stream_open, 0, PAIR), ABI_LIMIT);
    world_end(world, guest);
    world_grants[0].streams_max = 6;
    world_grants[0].stream_buffer_bytes = 0;
    guest = world_guest(world, "parent");
    assert_int_equal(WORLD_DO(world, guest, abi_stream_open, 0, PAIR), ABI_LIMIT);
    world_end(world, guest);
}

static bool is_woken(const struct guest *guest)
{
    return process_phase(&guest->process) != PHASE_PARKED;
}

static void a_reader_parks_until_something_is_written(void **state)
{
    struct guest_world *world = *state;
    struct guest *reader = world_guest(world, "parent");
    struct guest *writer = world_guest(world, "child");
    struct abi_stream_pair pair = open_stream(world, writer, 0);
    int32_t end = hand_over(writer, pair.reader, reader);
    struct world_call reading = WORLD_CALL(world, reader, abi_stream_read, arg(end), BUFFER + 64,
                                           16, (uint64_t)FOR_EVER);
    assert_int_equal(world_try(world, &reading), ENGINE_CALL_PARK);
    assert_int_equal(world_try(world, &reading), ENGINE_CALL_PARK);
    assert_false(is_woken(reader));
    assert_int_equal(write_text(world, writer, pair.writer, "news"), 4);
    assert_true(is_woken(reader));
    assert_int_equal(world_try(world, &reading), ENGINE_CALL_DONE);
    assert_int_equal(reading.call.result, 4);
    assert_memory_equal(world->memory + BUFFER + 64, "news", 4);
    world_end(world, reader);
    world_end(world, writer);
}

static void a_writer_parks_when_it_is_full_and_writes_all(void **state)
{
    struct guest_world *world = *state;
    struct guest *reader = world_guest(world, "parent");
    struct guest *writer = world_guest(world, "child");
    struct abi_stream_pair pair = open_stream(world, writer, 8);
    int32_t end = hand_over(writer, pair.reader, reader);
    (void)world_put(world, 0, "0123456789abcdef-+");
    struct world_call writing = WORLD_CALL(world, writer, abi_stream_write, arg(pair.writer), 0, 18,
                                           (uint64_t)FOR_EVER);
    assert_int_equal(world_try(world, &writing), ENGINE_CALL_PARK);
    assert_int_equal(read_some(world, reader, end), 8);
    assert_true(is_woken(writer));
    assert_int_equal(world_try(world, &writing), ENGINE_CALL_PARK);
    assert_int_equal(read_some(world, reader, end), 8);
    assert_memory_equal(world->memory + BUFFER, "89abcdef", 8);
    assert_int_equal(world_try(world, &writing), ENGINE_CALL_DONE);
    assert_int_equal(writing.call.result, 18);
    assert_int_equal(read_some(world, reader, end), 2);
    /* A try says how much went in; nothing at all is a timeout. */
    assert_int_equal(WORLD_DO(world, writer, abi_stream_write, arg(pair.writer), 0, 18, 0), 8);
    assert_int_equal(WORLD_DO(world, writer, abi_stream_write, arg(pair.writer), 0, 18, 0),
                     ABI_TIMEOUT);
    world_end(world, reader);
    world_end(world, writer);
}

static void trying_never_waits_and_moves_what_it_can(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    struct abi_stream_pair pair = open_stream(world, guest, 8);
    uint64_t reader = arg(pair.reader);
    uint64_t writer = arg(pair.writer);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_read, reader, BUFFER, 16), ABI_TIMEOUT);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_write, writer, 0, 12), 8);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_write, writer, 0, 12), ABI_TIMEOUT);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_write, writer, 0, 0), 0);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_read, reader, BUFFER, 5), 5);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_read, reader, BUFFER, 5), 3);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_read, reader, BUFFER, 0), ABI_INVALID);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_read, writer, BUFFER, 5), ABI_MISPLACED);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_write, reader, 0, 5), ABI_MISPLACED);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_read, 0, BUFFER, 5), ABI_NOT_FOUND);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_write, 0, 0, 5), ABI_NOT_FOUND);
    WORLD_TRAP(world, guest, abi_stream_try_read, reader, WORLD_MEMORY_BYTES - 1, 2);
    WORLD_TRAP(world, guest, abi_stream_try_write, writer, WORLD_MEMORY_BYTES - 1, 2);
    /* What was tried in vain wakes like what waits. */
    run_until_idle(world->node);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_read, reader, BUFFER, 5), ABI_TIMEOUT);
    assert_false(is_woken(guest));
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_write, writer, 0, 1), 1);
    assert_true(is_woken(guest));
    assert_int_equal(WORLD_DO(world, guest, abi_stream_close, reader), 0);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_write, writer, 0, 1), ABI_CLOSED);
    pair = open_stream(world, guest, 8);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_abort, arg(pair.writer), 3), 0);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_try_read, arg(pair.reader), BUFFER, 5),
                     ABI_ABORTED);
    world_end(world, guest);
}

static void waiting_ends_with_its_time(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    struct abi_stream_pair pair = open_stream(world, guest, 8);
    struct world_call call = WORLD_CALL(world, guest, abi_stream_read, arg(pair.reader), BUFFER, 16,
                                        50 * WORLD_MS);
    assert_int_equal(world_try(world, &call), ENGINE_CALL_PARK);
    world->env.now_ns += 49 * WORLD_MS;
    assert_int_equal(world_try(world, &call), ENGINE_CALL_PARK);
    world->env.now_ns += WORLD_MS;
    assert_int_equal(world_try(world, &call), ENGINE_CALL_DONE);
    assert_int_equal((int32_t)call.call.result, ABI_TIMEOUT);
    /* A write keeps what it has moved. */
    call = WORLD_CALL(world, guest, abi_stream_write, arg(pair.writer), 0, 20, 50 * WORLD_MS);
    assert_int_equal(world_try(world, &call), ENGINE_CALL_PARK);
    world->env.now_ns += 50 * WORLD_MS;
    assert_int_equal(world_try(world, &call), ENGINE_CALL_DONE);
    assert_int_equal(call.call.result, 8);
    world_end(world, guest);
}

static void a_large_write_lets_others_run_in_between(void **state)
{
    struct guest_world *world = *state;
    static uint8_t large[3 << 20];
    world_grants[0].stream_buffer_bytes = sizeof large;
    struct guest *guest = world_guest(world, "parent");
    struct abi_stream_pair pair = open_stream(world, guest, 0);
    struct world_call call = WORLD_CALL(world, guest, abi_stream_write, arg(pair.writer), 0,
                                        sizeof large, (uint64_t)FOR_EVER);
    call.call.memory = large;
    call.call.memory_bytes = sizeof large;
    unsigned parked = 0;
    while (world_try(world, &call) == ENGINE_CALL_PARK) {
        assert_true(is_woken(guest));
        parked++;
    }
    assert_int_equal(call.call.result, sizeof large);
    assert_int_equal(parked, 2);
    world_end(world, guest);
}

static void end_abort_and_close_are_told_apart(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    struct abi_stream_pair pair = open_stream(world, guest, 0);
    assert_int_equal(write_text(world, guest, pair.writer, "lost"), 4);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_reason, arg(pair.reader)), 0);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_abort, arg(pair.writer), 42), 0);
    assert_int_equal(read_some(world, guest, pair.reader), ABI_ABORTED);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_reason, arg(pair.reader)), 42);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_close, arg(pair.reader)), 0);

    pair = open_stream(world, guest, 0);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_close, arg(pair.writer)), 0);
    assert_int_equal(read_some(world, guest, pair.reader), ABI_ABORTED);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_reason, arg(pair.reader)), 0);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_close, arg(pair.reader)), 0);

    pair = open_stream(world, guest, 0);
    assert_int_equal(WORLD_DO(world, guest, abi_stream_close, arg(pair.reader)), 0);
    assert_int_equal(write_text(world, guest, pair.writer, "x"), ABI_CLOSED);
    assert_int_equal(write_text(world, guest, pair.writer, ""), ABI_CLOSED);
    world_end(world, guest);
}

static void a_process_that_ends_closes_its_ends_and_wakes_the_other_side(void **state)
{
    struct guest_world *world = *state;
    struct guest *reader = world_guest(world, "parent");
    struct guest *writer = world_guest(world, "child");
    struct abi_stream_pair first = open_stream(world, writer, 0);
    struct abi_stream_pair second = open_stream(world, reader, 4);
    int32_t readable = hand_over(writer, first.reader, reader);
    int32_t far = hand_over(reader, second.reader, writer);
    assert_true(far > 0);
    assert_int_equal(write_text(world, writer, first.writer, "half"), 4);
    assert_int_equal(write_text(world, reader, second.writer, "full"), 4);
    assert_int_equal(handle_ready(reader, second.writer, HANDLE_WRITABLE), 0);
    world_end(world, writer);
    /* It did not say that it had finished, so nobody takes the half for all. */
    assert_int_equal(read_some(world, reader, readable), ABI_ABORTED);
    assert_int_equal(WORLD_DO(world, reader, abi_stream_reason, arg(readable)), 0);
    assert_int_equal(write_text(world, reader, second.writer, "more"), ABI_CLOSED);
    world_end(world, reader);
}

static void whoever_waits_is_woken_by_the_others_death(void **state)
{
    struct guest_world *world = *state;
    struct guest *reader = world_guest(world, "parent");
    struct guest *writer = world_guest(world, "child");
    struct abi_stream_pair pair = open_stream(world, writer, 0);
    int32_t end = hand_over(writer, pair.reader, reader);
    struct world_call reading = WORLD_CALL(world, reader, abi_stream_read, arg(end), BUFFER, 16,
                                           (uint64_t)FOR_EVER);
    assert_int_equal(world_try(world, &reading), ENGINE_CALL_PARK);
    process_stop(&writer->process, STOP_KILL, "the test");
    /* Its turn, woken by the death, ends parked in its own sleep again: only the wake counts. */
    uint64_t turns = atomic_load(&reader->process.turns);
    run_until_idle(world->node);
    assert_int_equal(atomic_load(&reader->process.turns), turns + 1);
    assert_int_equal(world_try(world, &reading), ENGINE_CALL_DONE);
    assert_int_equal((int32_t)reading.call.result, ABI_ABORTED);
    process_release(&writer->process);
    world_end(world, reader);
}

static void an_end_in_a_message_that_nobody_reads_is_closed(void **state)
{
    struct guest_world *world = *state;
    struct guest *sender = world_guest(world, "parent");
    struct guest *receiver = world_guest(world, "child");
    struct abi_stream_pair pair = open_stream(world, sender, 0);
    struct message *message = message_create(0, 1, "", 0);
    message->cargo = handle_take(sender, pair.reader);
    assert_true(process_send(world->node, receiver->process.pid, message));
    assert_int_equal(write_text(world, sender, pair.writer, "x"), 1);
    world_end(world, receiver);
    assert_int_equal(write_text(world, sender, pair.writer, "x"), ABI_CLOSED);
    world_end(world, sender);
}

static void looking_says_what_can_be_done_and_wakes_when_that_changes(void **state)
{
    struct guest_world *world = *state;
    struct guest *reader = world_guest(world, "parent");
    struct guest *writer = world_guest(world, "child");
    struct abi_stream_pair pair = open_stream(world, writer, 4);
    int32_t end = hand_over(writer, pair.reader, reader);
    assert_int_equal(handle_ready(writer, pair.writer, HANDLE_WRITABLE), HANDLE_WRITABLE);
    assert_int_equal(handle_ready(writer, pair.writer, HANDLE_READABLE), 0);
    assert_int_equal(handle_ready(reader, end, HANDLE_WRITABLE), 0);
    assert_int_equal(handle_ready(reader, end, HANDLE_READABLE), 0);
    assert_int_equal(write_text(world, writer, pair.writer, "full"), 4);
    assert_true(is_woken(reader));
    assert_int_equal(handle_ready(reader, end, HANDLE_READABLE), HANDLE_READABLE);
    assert_int_equal(handle_ready(writer, pair.writer, HANDLE_WRITABLE), 0);
    assert_false(is_woken(writer));
    assert_int_equal(read_some(world, reader, end), 4);
    assert_true(is_woken(writer));
    assert_int_equal(handle_ready(writer, pair.writer, HANDLE_WRITABLE), HANDLE_WRITABLE);
    assert_int_equal(WORLD_DO(world, writer, abi_stream_end, arg(pair.writer)), 0);
    assert_int_equal(handle_ready(reader, end, HANDLE_READABLE), HANDLE_READABLE);
    world_end(world, reader);
    world_end(world, writer);
}

int main(void)
{
    log_configure(LOG_TEXT, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(what_is_written_is_read_in_order_until_the_end),
        IN_A_WORLD(a_stale_or_foreign_or_wrong_handle_is_an_error),
        IN_A_WORLD(a_number_comes_back_only_after_all_its_generations),
        IN_A_WORLD(bad_pointers_trap_and_bad_sizes_and_times_are_invalid),
        IN_A_WORLD(the_quotas_are_the_grants),
        IN_A_WORLD(a_grant_without_streams_opens_none),
        IN_A_WORLD(a_reader_parks_until_something_is_written),
        IN_A_WORLD(a_writer_parks_when_it_is_full_and_writes_all),
        IN_A_WORLD(trying_never_waits_and_moves_what_it_can),
        IN_A_WORLD(waiting_ends_with_its_time),
        IN_A_WORLD(a_large_write_lets_others_run_in_between),
        IN_A_WORLD(end_abort_and_close_are_told_apart),
        IN_A_WORLD(a_process_that_ends_closes_its_ends_and_wakes_the_other_side),
        IN_A_WORLD(whoever_waits_is_woken_by_the_others_death),
        IN_A_WORLD(an_end_in_a_message_that_nobody_reads_is_closed),
        IN_A_WORLD(looking_says_what_can_be_done_and_wakes_when_that_changes),
    };
    return cmocka_run_group_tests_name("handle", tests, NULL, NULL);
}
