#include "native.h"

#include "core/stream.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static void count_wake(void *argument)
{
    (*(int *)argument)++;
}

struct fixture {
    struct stream stream;
    int reader_wakes, writer_wakes;
};

static void fixture_init(struct fixture *fixture, size_t limit_bytes)
{
    fixture->reader_wakes = fixture->writer_wakes = 0;
    stream_init(&fixture->stream, limit_bytes);
    stream_set_reader(&fixture->stream, (struct stream_waker){.wake = count_wake,
                                                              .argument = &fixture->reader_wakes});
    stream_set_writer(&fixture->stream, (struct stream_waker){.wake = count_wake,
                                                              .argument = &fixture->writer_wakes});
}

static size_t write_some(struct stream *stream, const char *words)
{
    size_t written = 0;
    assert_int_equal(stream_write(stream, words, strlen(words), &written), STREAM_OK);
    return written;
}

static void a_write_takes_what_fits_and_then_waits(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8);
    assert_int_equal(write_some(&f.stream, "hello"), 5);
    assert_int_equal(write_some(&f.stream, "world"), 3);
    size_t written = 99;
    assert_int_equal(stream_write(&f.stream, "ld", 2, &written), STREAM_WAIT);
    assert_int_equal(stream_write(&f.stream, "", 0, &written), STREAM_OK);
    assert_int_equal(written, 0);
    assert_int_equal(stream_pending(&f.stream), 8);
    stream_fini(&f.stream);
}

static void the_writer_is_woken_when_what_is_left_fits_or_at_half(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8);
    char data[8];
    size_t moved = 0;
    assert_int_equal(write_some(&f.stream, "12345678"), 8);
    assert_int_equal(stream_read(&f.stream, data, 1, &moved), STREAM_OK);
    assert_int_equal(write_some(&f.stream, "9"), 1);
    assert_int_equal(stream_write(&f.stream, "0123456789", 10, &moved), STREAM_WAIT);
    assert_int_equal(stream_read(&f.stream, data, 3, &moved), STREAM_OK);
    assert_int_equal(f.writer_wakes, 0);
    assert_int_equal(stream_read(&f.stream, data, 1, &moved), STREAM_OK);
    assert_int_equal(f.writer_wakes, 1);
    assert_int_equal(write_some(&f.stream, "0123"), 4);
    assert_int_equal(stream_write(&f.stream, "45", 2, &moved), STREAM_WAIT);
    assert_int_equal(stream_read(&f.stream, data, 1, &moved), STREAM_OK);
    assert_int_equal(f.writer_wakes, 1);
    assert_int_equal(stream_read(&f.stream, data, 1, &moved), STREAM_OK);
    assert_int_equal(f.writer_wakes, 2);
    assert_int_equal(stream_read(&f.stream, data, 8, &moved), STREAM_OK);
    assert_int_equal(moved, 6);
    assert_memory_equal(data, "890123", 6);
    assert_int_equal(f.writer_wakes, 2);
    stream_fini(&f.stream);
}

static void a_reader_that_found_nothing_is_woken_once_by_the_next_write(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8);
    char data[8];
    size_t got = 0;
    assert_int_equal(write_some(&f.stream, "a"), 1);
    assert_int_equal(f.reader_wakes, 0);
    assert_int_equal(stream_read(&f.stream, data, 8, &got), STREAM_OK);
    assert_int_equal(stream_read(&f.stream, data, 8, &got), STREAM_WAIT);
    assert_int_equal(write_some(&f.stream, "b"), 1);
    assert_int_equal(write_some(&f.stream, "c"), 1);
    assert_int_equal(f.reader_wakes, 1);
    stream_fini(&f.stream);
}

static void after_the_end_the_reader_gets_the_rest_and_then_the_end(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8);
    char data[8];
    size_t got = 0;
    assert_int_equal(stream_read(&f.stream, data, 8, &got), STREAM_WAIT);
    assert_int_equal(write_some(&f.stream, "rest"), 4);
    stream_end(&f.stream);
    assert_int_equal(stream_write(&f.stream, "more", 4, &got), STREAM_CLOSED);
    assert_int_equal(stream_read(&f.stream, data, 8, &got), STREAM_OK);
    assert_int_equal(got, 4);
    assert_int_equal(stream_read(&f.stream, data, 8, &got), STREAM_ENDED);
    assert_int_equal(stream_read(&f.stream, data, 8, &got), STREAM_ENDED);
    stream_abort(&f.stream, 5);
    assert_int_equal(stream_read(&f.stream, data, 8, &got), STREAM_ENDED);
    stream_fini(&f.stream);
}

static void the_end_wakes_a_waiting_reader(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8);
    char data[8];
    size_t got = 0;
    assert_int_equal(stream_read(&f.stream, data, 8, &got), STREAM_WAIT);
    stream_end(&f.stream);
    assert_int_equal(f.reader_wakes, 1);
    stream_fini(&f.stream);
}

static void an_abort_drops_what_is_unread_and_says_why(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8);
    char data[8];
    size_t got = 0;
    assert_int_equal(write_some(&f.stream, "lost"), 4);
    assert_int_equal(stream_reason(&f.stream), 0);
    stream_abort(&f.stream, 502);
    stream_abort(&f.stream, 504);
    stream_end(&f.stream);
    assert_int_equal(f.reader_wakes, 1);
    assert_int_equal(stream_pending(&f.stream), 0);
    assert_int_equal(stream_read(&f.stream, data, 8, &got), STREAM_ABORTED);
    assert_int_equal(stream_reason(&f.stream), 502);
    stream_fini(&f.stream);
}

static void a_reader_that_closes_tells_the_writer_at_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8);
    size_t written = 0;
    assert_int_equal(write_some(&f.stream, "unread"), 6);
    stream_close(&f.stream);
    stream_close(&f.stream);
    assert_int_equal(f.writer_wakes, 1);
    assert_int_equal(stream_pending(&f.stream), 0);
    assert_int_equal(stream_write(&f.stream, "x", 1, &written), STREAM_CLOSED);
    stream_fini(&f.stream);
}

static void a_large_buffer_is_given_back_once_a_reader_waits(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 256 * 1024);
    static char data[100000];
    size_t moved = 0;
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(stream_write(&f.stream, data, sizeof(data), &moved), STREAM_OK);
        assert_non_null(f.stream.ring);
        assert_int_equal(stream_read(&f.stream, data, sizeof(data), &moved), STREAM_OK);
        assert_int_equal(moved, sizeof(data));
        assert_int_equal(stream_read(&f.stream, data, sizeof(data), &moved), STREAM_WAIT);
        assert_null(f.stream.ring);
    }
    stream_fini(&f.stream);
}

static void bytes_keep_their_order_around_the_end_of_the_ring_and_while_it_grows(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 5000);
    unsigned char data[1000];
    size_t sent = 0;
    size_t got = 0;
    /* Always more in than out until it is full, then the same: every position, every size of the ring. */
    for (unsigned round = 0; round < 200; round++) {
        size_t size = 97 + round % 700;
        for (size_t i = 0; i < size; i++) {
            data[i] = (unsigned char)((sent + i) % 253);
        }
        size_t moved = 0;
        if (stream_write(&f.stream, data, size, &moved) == STREAM_OK) {
            sent += moved;
        }
        if (stream_read(&f.stream, data, 61 + round % 400, &moved) == STREAM_OK) {
            for (size_t i = 0; i < moved; i++) {
                assert_int_equal(data[i], (got + i) % 253);
            }
            got += moved;
        }
        assert_int_equal(stream_pending(&f.stream), sent - got);
    }
    assert_int_equal(f.stream.capacity, 5000);
    stream_fini(&f.stream);
}

static void looking_waits_like_reading_and_writing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 8);
    char data[8];
    size_t moved = 0;
    assert_true(stream_is_writable(&f.stream));
    assert_false(stream_is_readable(&f.stream));
    assert_int_equal(write_some(&f.stream, "12345678"), 8);
    assert_int_equal(f.reader_wakes, 1);
    assert_true(stream_is_readable(&f.stream));
    assert_false(stream_is_writable(&f.stream));
    assert_int_equal(stream_read(&f.stream, data, 8, &moved), STREAM_OK);
    assert_int_equal(f.writer_wakes, 1);
    assert_false(stream_is_readable(&f.stream));
    stream_end(&f.stream);
    assert_int_equal(f.reader_wakes, 2);
    assert_true(stream_is_readable(&f.stream));
    assert_true(stream_is_writable(&f.stream));
    stream_fini(&f.stream);
}

static void count_retain(void *argument)
{
    ((int *)argument)[1]++;
}

static void whoever_is_woken_was_retained_for_it(void **state)
{
    (void)state;
    struct stream stream;
    stream_init(&stream, 8);
    int calls[2] = {0, 0};
    stream_set_reader(&stream, (struct stream_waker){count_wake, calls, count_retain});
    char data[8];
    size_t moved = 0;
    assert_int_equal(stream_write(&stream, "a", 1, &moved), STREAM_OK);
    assert_int_equal(calls[1], 0);
    assert_int_equal(stream_read(&stream, data, 8, &moved), STREAM_OK);
    assert_int_equal(stream_read(&stream, data, 8, &moved), STREAM_WAIT);
    assert_int_equal(stream_write(&stream, "b", 1, &moved), STREAM_OK);
    assert_int_equal(calls[0], 1);
    assert_int_equal(calls[1], 1);
    stream_abort(&stream, 1);
    assert_int_equal(calls[0], 2);
    assert_int_equal(calls[1], 2);
    stream_fini(&stream);
}

enum { PUMPED_BYTES = 5 * 1000 * 1000 };

struct pump {
    struct stream stream;
    struct latch reader, writer;
    uint64_t mismatches;
};

static void wake_latch(void *argument)
{
    latch_post(argument);
}

static void *pump_write(void *argument)
{
    struct pump *pump = argument;
    unsigned char chunk[1777];
    for (size_t sent = 0; sent < PUMPED_BYTES;) {
        size_t size = PUMPED_BYTES - sent < sizeof(chunk) ? PUMPED_BYTES - sent : sizeof(chunk);
        for (size_t i = 0; i < size; i++) {
            chunk[i] = (unsigned char)((sent + i) % 251);
        }
        size_t written = 0;
        switch (stream_write(&pump->stream, chunk, size, &written)) {
        case STREAM_OK:
            sent += written;
            continue;
        case STREAM_WAIT:
            latch_wait(&pump->writer, 1);
            continue;
        case STREAM_ENDED:
        case STREAM_ABORTED:
        case STREAM_CLOSED:
            BUG("the reader is there");
        }
    }
    stream_end(&pump->stream);
    return NULL;
}

static void two_threads_move_all_bytes_in_order_without_a_lost_wake(void **state)
{
    (void)state;
    static struct pump pump;
    latch_init(&pump.reader);
    latch_init(&pump.writer);
    stream_init(&pump.stream, 10000);
    stream_set_reader(&pump.stream,
                      (struct stream_waker){.wake = wake_latch, .argument = &pump.reader});
    stream_set_writer(&pump.stream,
                      (struct stream_waker){.wake = wake_latch, .argument = &pump.writer});
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, pump_write, &pump), 0);
    size_t got_all = 0;
    for (bool ended = false; !ended;) {
        unsigned char chunk[3001];
        size_t got = 0;
        enum stream_result result = stream_read(&pump.stream, chunk, sizeof(chunk), &got);
        if (result == STREAM_WAIT) {
            latch_wait(&pump.reader, 1);
        } else if (result == STREAM_OK) {
            for (size_t i = 0; i < got; i++) {
                pump.mismatches += chunk[i] != (got_all + i) % 251;
            }
            got_all += got;
        } else {
            assert_int_equal(result, STREAM_ENDED);
            ended = true;
        }
    }
    pthread_join(writer, NULL);
    assert_int_equal(got_all, PUMPED_BYTES);
    assert_int_equal(pump.mismatches, 0);
    assert_int_equal(pump.stream.written_bytes, PUMPED_BYTES);
    assert_int_equal(pump.stream.read_bytes, PUMPED_BYTES);
    stream_fini(&pump.stream);
    latch_fini(&pump.reader);
    latch_fini(&pump.writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_takes_what_fits_and_then_waits),
        cmocka_unit_test(the_writer_is_woken_when_what_is_left_fits_or_at_half),
        cmocka_unit_test(a_reader_that_found_nothing_is_woken_once_by_the_next_write),
        cmocka_unit_test(after_the_end_the_reader_gets_the_rest_and_then_the_end),
        cmocka_unit_test(the_end_wakes_a_waiting_reader),
        cmocka_unit_test(an_abort_drops_what_is_unread_and_says_why),
        cmocka_unit_test(a_reader_that_closes_tells_the_writer_at_once),
        cmocka_unit_test(a_large_buffer_is_given_back_once_a_reader_waits),
        cmocka_unit_test(bytes_keep_their_order_around_the_end_of_the_ring_and_while_it_grows),
        cmocka_unit_test(looking_waits_like_reading_and_writing),
        cmocka_unit_test(whoever_is_woken_was_retained_for_it),
        cmocka_unit_test(two_threads_move_all_bytes_in_order_without_a_lost_wake),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
