#include "../base/cmocka_all.h"

#include "serve/websocket_deflate.h"
#include "serve/websocket_reader.h"
#include "serve/websocket_writer.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE_MAX = 100000, STREAM_BYTES = 65536 };

/* A frame of a client, with a mask of zeros. */
static void add_frame(struct bytes *bytes, unsigned first, const void *data, size_t size)
{
    uint8_t head[14] = {(uint8_t)first};
    size_t head_size = size < 126 ? 2 : size < 65536 ? 4 : 10;
    head[1] = (uint8_t)(0x80 | (size < 126 ? size : size < 65536 ? 126 : 127));
    for (size_t i = 2; i < head_size; i++) {
        head[i] = (uint8_t)((uint64_t)size >> 8 * (head_size - 1 - i));
    }
    assert_true(bytes_append(bytes, head, head_size + 4) && bytes_append(bytes, data, size));
}

static struct text text_of(const struct bytes *bytes)
{
    return (struct text){(const char *)bytes->data, bytes->size};
}

/* ---- reader */

static void between_frames_a_reader_holds_nothing(void **state)
{
    (void)state;
    struct websocket_reader reader;
    websocket_reader_init(&reader, MESSAGE_MAX, false);
    AUTO(bytes_finip) struct bytes bytes = {0};
    add_frame(&bytes, 0x81, "hello", 5);
    struct text input = text_of(&bytes);
    struct websocket_step step = websocket_reader_step(&reader, &input);
    assert_int_equal(step.event, WEBSOCKET_MESSAGE);
    assert_true(step.text);
    assert_memory_equal(step.data.data, "hello", 5);
    assert_int_equal(websocket_reader_step(&reader, &input).event, WEBSOCKET_MORE);
    assert_int_equal(websocket_reader_held_bytes(&reader), 0);
    assert_false(websocket_reader_is_in_frame(&reader));
    websocket_reader_fini(&reader);
}

static void a_frame_that_has_begun_is_known(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes bytes = {0};
    add_frame(&bytes, 0x82, "0123456789", 10);
    for (size_t cut = 0; cut <= bytes.size; cut++) {
        struct websocket_reader reader;
        websocket_reader_init(&reader, MESSAGE_MAX, false);
        struct text input = {(const char *)bytes.data, cut};
        struct websocket_step step = websocket_reader_step(&reader, &input);
        assert_int_equal(step.event, cut < bytes.size ? WEBSOCKET_MORE : WEBSOCKET_MESSAGE);
        bool within = cut > 0 && cut < bytes.size;
        assert_int_equal(websocket_reader_is_in_frame(&reader), within);
        websocket_reader_fini(&reader); /* Also in the middle of one. */
    }
}

static void a_reader_may_be_dropped_within_a_compressed_message(void **state)
{
    (void)state;
    struct websocket_reader reader;
    websocket_reader_init(&reader, MESSAGE_MAX, true);
    AUTO(bytes_finip) struct bytes bytes = {0};
    add_frame(&bytes, 0x41, "\xca\x48", 2);
    struct text input = text_of(&bytes);
    assert_int_equal(websocket_reader_step(&reader, &input).event, WEBSOCKET_MORE);
    assert_true(websocket_reader_held_bytes(&reader) >= WEBSOCKET_INFLATE_BYTES);
    websocket_reader_fini(&reader);
}

/* What comes of a stream of frames that comes in pieces of that size. */
static void read_in_pieces(const struct bytes *frames, size_t piece, struct bytes *ret)
{
    struct websocket_reader reader;
    websocket_reader_init(&reader, MESSAGE_MAX, false);
    for (size_t at = 0; at < frames->size; at += piece) {
        size_t size = frames->size - at < piece ? frames->size - at : piece;
        struct text input = {(const char *)frames->data + at, size};
        for (;;) {
            struct websocket_step step = websocket_reader_step(&reader, &input);
            if (step.event == WEBSOCKET_MORE) {
                break;
            }
            assert_true(bytes_printf(ret, "%d %d %u %zu:", (int)step.event, (int)step.text,
                                     step.code, step.data.size));
            assert_true(bytes_append(ret, step.data.data, step.data.size));
            if (step.event == WEBSOCKET_BAD) {
                websocket_reader_fini(&reader);
                return;
            }
        }
    }
    websocket_reader_fini(&reader);
}

static void frames_say_the_same_whole_and_in_pieces(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 3, 7, 8, 9, 63, 125, 126, 127, 1000, 16384, 16385, 70000};
    static char data[70000];
    AUTO(bytes_finip) struct bytes frames = {0};
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (char)('a' + i % 26);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        size_t begin = frames.size, size = sizes[i];
        add_frame(&frames, i % 2 == 0 ? 0x81 : 0x82, data, size);
        uint8_t *payload = frames.data + frames.size - size, *mask = payload - 4;
        memcpy(mask, "\x9c\x01\xfe\x37", 4);
        for (size_t at = 0; at < size; at++) {
            payload[at] ^= mask[at % 4];
        }
        assert_true(begin < frames.size);
        if (i % 3 == 1) {
            add_frame(&frames, 0x01, "two", 3);
            add_frame(&frames, 0x89, "ping", 4);
            add_frame(&frames, 0x80, " halves", 7);
        }
    }
    AUTO(bytes_finip) struct bytes whole = {0};
    read_in_pieces(&frames, frames.size, &whole);
    static const size_t pieces[] = {1, 2, 5, 6, 7, 131, 4096};
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        AUTO(bytes_finip) struct bytes in_pieces = {0};
        read_in_pieces(&frames, pieces[i], &in_pieces);
        assert_int_equal(in_pieces.size, whole.size);
        assert_memory_equal(in_pieces.data, whole.data, whole.size);
    }
}

static void short_messages_that_are_wrong_are_refused_whole_and_in_pieces(void **state)
{
    (void)state;
    static const struct {
        const char *frame;
        size_t size;
        unsigned code;
    } wrong[] = {
        {"\x81\x82\0\0\0\0\xc3\x28", 8, WEBSOCKET_BAD_TEXT},
        {"\x81\x81\0\0\0\0\xc3", 7, WEBSOCKET_BAD_TEXT},
        {"\x81\x02hi", 4, WEBSOCKET_PROTOCOL_ERROR},
        {"\xc1\x82\0\0\0\0hi", 8, WEBSOCKET_PROTOCOL_ERROR},
        {"\x82\xfe\0\x02\0\0\0\0hi", 10, WEBSOCKET_PROTOCOL_ERROR},
        {"\x80\x82\0\0\0\0hi", 8, WEBSOCKET_PROTOCOL_ERROR},
        {"\x01\x81\0\0\0\0a\x81\x81\0\0\0\0b", 14, WEBSOCKET_PROTOCOL_ERROR},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        for (size_t piece = 1; piece <= wrong[i].size; piece++) {
            AUTO(bytes_finip) struct bytes frames = {0}, said = {0};
            assert_true(bytes_append(&frames, wrong[i].frame, wrong[i].size));
            read_in_pieces(&frames, piece, &said);
            char expected[32];
            int size = snprintf(expected, sizeof expected, "%d 0 %u ", (int)WEBSOCKET_BAD,
                                wrong[i].code);
            assert_true(said.size > (size_t)size);
            assert_memory_equal(said.data, expected, (size_t)size);
        }
    }
}

/* ---- writer, and back through the reader */

struct pipe {
    struct stream stream;
    struct websocket_writer writer;
    struct bytes out;
};

static void pipe_open(struct pipe *pipe, bool deflates, unsigned window_bits)
{
    *pipe = (struct pipe){0};
    stream_init(&pipe->stream, STREAM_BYTES);
    websocket_writer_init(&pipe->writer, &(struct websocket_deflate_terms){
                                             .on = deflates, .window_bits = window_bits});
}

static void pipe_close(struct pipe *pipe)
{
    stream_fini(&pipe->stream);
    websocket_writer_fini(&pipe->writer);
    bytes_fini(&pipe->out);
}

static enum websocket_written pump(struct pipe *pipe)
{
    enum websocket_written written;
    size_t moved;
    do {
        written = websocket_write_piece(&pipe->writer, &pipe->stream, &pipe->out, &moved);
    } while (written == WEBSOCKET_WROTE);
    return written;
}

/* Send a message as a process does. */
static void send_all(struct pipe *pipe, uint32_t kind, const uint8_t *data, size_t size)
{
    struct websocket_record record = {kind, (uint32_t)size};
    size_t taken = 0;
    assert_int_equal(stream_write(&pipe->stream, &record, sizeof record, &taken), STREAM_OK);
    assert_int_equal(taken, sizeof record);
    for (size_t at = 0; at < size; at += taken) {
        taken = 0;
        if (stream_write(&pipe->stream, data + at, size - at, &taken) != STREAM_OK) {
            assert_int_equal(pump(pipe), WEBSOCKET_WAITS);
        }
    }
    assert_int_equal(pump(pipe), WEBSOCKET_WAITS);
}

/* Mask what a server has written, so that the reader takes it. `*ret_frames`: how many. */
static struct bytes masked(const struct bytes *from, size_t *ret_frames)
{
    struct bytes to = {0};
    *ret_frames = 0;
    for (size_t at = 0; at < from->size; ++*ret_frames) {
        const uint8_t *frame = from->data + at;
        size_t head = frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
        size_t size = frame[1] < 126 ? frame[1] : (size_t)frame[2] << 8 | frame[3];
        assert_true(head < 10 && at + head + size <= from->size);
        add_frame(&to, frame[0], frame + head, size);
        at += head + size;
    }
    return to;
}

static void check_round(bool deflates, unsigned bits, const uint8_t *data, size_t size)
{
    struct pipe pipe;
    pipe_open(&pipe, deflates, bits);
    send_all(&pipe, 2, data, size);
    size_t frames;
    AUTO(bytes_finip) struct bytes back = masked(&pipe.out, &frames);
    struct websocket_reader reader;
    websocket_reader_init(&reader, MESSAGE_MAX, deflates);
    struct text input = text_of(&back);
    struct websocket_step step = websocket_reader_step(&reader, &input);
    assert_int_equal(step.event, WEBSOCKET_MESSAGE);
    assert_false(step.text);
    assert_int_equal(step.data.size, size);
    if (size > 0) {
        assert_memory_equal(step.data.data, data, size);
    }
    assert_int_equal(websocket_reader_step(&reader, &input).event, WEBSOCKET_MORE);
    assert_true(size > 16000 || frames == 1);
    websocket_reader_fini(&reader);
    pipe_close(&pipe);
}

static void messages_of_every_length_come_back_plain_and_compressed(void **state)
{
    (void)state;
    static uint8_t data[MESSAGE_MAX];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof data; i++) {
        seed = seed * 1103515245 + 12345;
        data[i] = i % 3000 < 2000 ? (uint8_t)(seed >> 16) : (uint8_t)(i % 7);
    }
    static const size_t sizes[] = {0,    1,     125,   126,   255,   256,  257,
                                   5000, 16383, 16384, 16385, 70000, 99999};
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        check_round(false, 15, data, sizes[i]);
        for (unsigned bits = 9; bits <= 15; bits++) {
            check_round(true, bits, data, sizes[i]);
        }
    }
}

static void an_end_and_an_abort_are_told_apart_behind_what_was_sent(void **state)
{
    (void)state;
    struct pipe pipe;
    pipe_open(&pipe, false, 15);
    struct websocket_record record = {1, 2};
    size_t taken;
    assert_int_equal(stream_write(&pipe.stream, &record, sizeof record, &taken), STREAM_OK);
    assert_int_equal(stream_write(&pipe.stream, "hi", 2, &taken), STREAM_OK);
    stream_end(&pipe.stream);
    assert_int_equal(pump(&pipe), WEBSOCKET_ENDED);
    assert_int_equal(pipe.out.size, 4);
    assert_memory_equal(pipe.out.data, "\x81\x02hi", 4);
    pipe_close(&pipe);

    pipe_open(&pipe, false, 15);
    assert_int_equal(stream_write(&pipe.stream, &record, sizeof record, &taken), STREAM_OK);
    assert_int_equal(stream_write(&pipe.stream, "h", 1, &taken), STREAM_OK);
    assert_int_equal(pump(&pipe), WEBSOCKET_WAITS); /* A fragment is out. */
    stream_abort(&pipe.stream, 1);
    assert_int_equal(pump(&pipe), WEBSOCKET_ABORTED);
    assert_memory_equal(pipe.out.data, "\x01\x01h", 3);
    pipe_close(&pipe);
}

static void a_close_has_its_code_and_reason_or_neither(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes out = {0};
    assert_true(websocket_write_close(&out, 1001, "bye", 3));
    assert_true(websocket_write_close(&out, WEBSOCKET_NO_CODE, NULL, 0));
    assert_int_equal(out.size, 9);
    assert_memory_equal(out.data,
                        "\x88\x05\x03\xe9"
                        "bye\x88\0",
                        9);
}

/* ---- inflating, bounded */

static void inflating_stops_at_the_limit(void **state)
{
    (void)state;
    static uint8_t zeros[MESSAGE_MAX];
    struct z_stream_s *deflate = websocket_deflate_open(sizeof zeros, 15);
    uint8_t packed[4096];
    websocket_deflate_give(deflate, zeros, sizeof zeros);
    size_t size = websocket_deflate_take(deflate, true, packed, sizeof packed);
    websocket_deflate_close(deflate);
    assert_in_range(size, 5, 1000);
    static const struct {
        size_t max;
        enum websocket_inflate_result expected;
    } cases[] = {{MESSAGE_MAX, WEBSOCKET_INFLATED},
                 {MESSAGE_MAX - 1, WEBSOCKET_INFLATE_TOO_LARGE},
                 {1, WEBSOCKET_INFLATE_TOO_LARGE}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct z_stream_s *inflate = websocket_inflate_open();
        AUTO(bytes_finip) struct bytes out = {0};
        enum websocket_inflate_result result = websocket_inflate_feed(inflate, packed, size - 4,
                                                                      &out, cases[i].max);
        if (result == WEBSOCKET_INFLATED) {
            result = websocket_inflate_end(inflate, &out, cases[i].max);
        }
        assert_int_equal(result, cases[i].expected);
        assert_true(out.size <= cases[i].max + 1);
        websocket_inflate_close(inflate);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(between_frames_a_reader_holds_nothing),
        cmocka_unit_test(a_frame_that_has_begun_is_known),
        cmocka_unit_test(frames_say_the_same_whole_and_in_pieces),
        cmocka_unit_test(short_messages_that_are_wrong_are_refused_whole_and_in_pieces),
        cmocka_unit_test(a_reader_may_be_dropped_within_a_compressed_message),
        cmocka_unit_test(messages_of_every_length_come_back_plain_and_compressed),
        cmocka_unit_test(an_end_and_an_abort_are_told_apart_behind_what_was_sent),
        cmocka_unit_test(a_close_has_its_code_and_reason_or_neither),
        cmocka_unit_test(inflating_stops_at_the_limit),
    };
    return cmocka_run_group_tests_name("websocket", tests, NULL, NULL);
}
