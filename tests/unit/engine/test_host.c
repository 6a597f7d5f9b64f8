/* Host functions: values, the memory window, parking. */
#include "engine_test.h"

#include <stdio.h>
#include <string.h>

static void arguments_and_results_keep_their_values(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("guest", "values", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    assert_int_equal(process.seen[0], UINT32_MAX); /* An i32 of -1 comes zero-extended. */
    assert_int_equal(process.seen[1], UINT64_C(0xfffffffffffffffe));
    assert_int_equal(process.seen[2], 7);
    assert_int_equal(process.seen[3], 0);
    assert_int_equal(process.note_count, 2);
    assert_int_equal(process.notes[0], UINT64_C(0x123456789abcdef0));
    assert_int_equal(process.notes[1], UINT64_C(-5));
    process_fini(&process);
}

static void the_memory_window_is_the_guests_memory_as_large_as_it_is_now(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("guest", "window", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    test_noted(&process, 4, 1, 1, 2, 2);
    process_fini(&process);
}

static void a_guest_without_memory_has_no_window(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("bare", "window", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    test_noted(&process, 1, 1000);
    process_fini(&process);
}

static void a_host_function_can_end_the_guest_with_words(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("guest", "refused", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_HOST);
    assert_string_equal(exit.text, "denied: allow-flying");
    assert_non_null(strstr(exit.backtrace, "#0"));
    engine_exit_fini(&exit);
    process_fini(&process);
}

static void a_host_function_can_end_the_guest_as_if_it_returned(void **state)
{
    (void)state;
    static const char *const entries[] = {"leave", "leave-after-a-wait"};
    for (uint32_t waits = 0; waits < ARRAY_LENGTH(entries); waits++) {
        struct process process;
        struct engine_exit exit;
        process_init(&process);
        struct engine_image *image = test_load("guest");
        struct engine_fiber *fiber = test_spawn(image, entries[waits], &process);

        for (uint32_t i = 0; i < waits; i++) {
            assert_false(engine_fiber_poll(fiber, &exit));
        }
        assert_true(engine_fiber_poll(fiber, &exit));

        assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
        assert_string_equal(exit.text, "");
        assert_null(exit.backtrace);
        assert_int_equal(process.seen[0], 5 + waits);
        assert_int_equal(process.note_count, 0); /* Nothing of it ran after that. */
        engine_fiber_destroy(fiber);
        engine_image_destroy(image);
        process_fini(&process);
    }
}

static void a_call_that_parks_is_tried_again_with_its_state(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    struct engine_image *image = test_load("guest");
    struct engine_fiber *fiber = test_spawn(image, "wait", &process);

    for (uint32_t waits = 1; waits <= 4; waits++) {
        assert_false(engine_fiber_poll(fiber, &exit));
        assert_int_equal(process.waits, waits);
    }
    assert_true(engine_fiber_poll(fiber, &exit));

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    test_noted(&process, 2, 3, 1); /* The second call began with a state of its own. */
    assert_int_equal(atomic_load(&process.wakes), 0);
    engine_fiber_destroy(fiber);
    engine_image_destroy(image);
    process_fini(&process);
}

static void a_start_function_may_use_its_memory_and_park(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    struct engine_image *image = test_load("start-host");
    struct engine_fiber *fiber = test_spawn(image, "return", &process);

    assert_false(engine_fiber_poll(fiber, &exit));
    assert_true(engine_fiber_poll(fiber, &exit));

    test_noted(&process, 2, 9, 2);
    engine_fiber_destroy(fiber);
    engine_image_destroy(image);
    process_fini(&process);
}

/* ---- every signature ---- */

enum { SEEN_RESULT = ENGINE_CALL_ARGUMENTS };

/** Keeps the arguments; parks once if it may, then answers. */
static enum engine_call_result host_any(struct engine_call *call)
{
    struct process *process = call->process;
    memcpy(process->seen, call->arguments, sizeof(call->arguments));
    call->result = UINT64_C(0x1122334455667788);
    return ENGINE_CALL_DONE;
}

static enum engine_call_result host_any_parking(struct engine_call *call)
{
    struct process *process = call->process;
    if (call->state == 0) {
        call->state = 1;
        process->waits++;
        return ENGINE_CALL_PARK;
    }
    return host_any(call);
}

static enum engine_call_result host_result(struct engine_call *call)
{
    struct process *process = call->process;
    process->seen[SEEN_RESULT] = call->arguments[0];
    return ENGINE_CALL_DONE;
}

static void put(struct bytes *wasm, const void *data, size_t size_bytes)
{
    assert_true(bytes_append(wasm, data, size_bytes));
}

static void put_byte(struct bytes *wasm, size_t byte)
{
    put(wasm, &(uint8_t){(uint8_t)byte}, 1);
}

/** A section, its content moved out of `content`. */
static void put_section(struct bytes *wasm, uint8_t id, struct bytes *content)
{
    assert_true(content->size < 128); /* One byte of LEB128. */
    put_byte(wasm, id);
    put_byte(wasm, content->size);
    put(wasm, content->data, content->size);
    bytes_clear(content);
}

static uint8_t value_type(char letter)
{
    return letter == 'i' ? 0x7f : 0x7e;
}

/** A module whose `run` calls `h.f` of that signature with 1, 2, 3... and gives what it answers to
 *  `h.r`, of type (i64). */
static void assemble(const char *signature, struct bytes *wasm)
{
    AUTO(bytes_finip) struct bytes content = {0};
    size_t count = strcspn(signature, ":");
    char result = signature[count + 1];
    put(wasm, "\0asm\1\0\0\0", 8);
    put(&content, "\3\x60", 2); /* Types: f, r, run. */
    put_byte(&content, count);
    for (size_t i = 0; i < count; i++) {
        put_byte(&content, value_type(signature[i]));
    }
    put_byte(&content, result != '\0');
    if (result != '\0') {
        put_byte(&content, value_type(result));
    }
    put(&content, "\x60\1\x7e\0\x60\0\0", 7);
    put_section(wasm, 1, &content);
    put(&content, "\2\1h\1f\0\0\1h\1r\0\1", 13);
    put_section(wasm, 2, &content);
    put(&content, "\1\2", 2);
    put_section(wasm, 3, &content);
    put(&content, "\1\3run\0\2", 7);
    put_section(wasm, 7, &content);
    put(&content, "\1\0\0", 3); /* One body; its size is put in at the end; no locals. */
    for (size_t i = 0; i < count; i++) {
        put_byte(&content, signature[i] == 'i' ? 0x41 : 0x42);
        put_byte(&content, i + 1);
    }
    put(&content, "\x10\0", 2);
    if (result == 'i') {
        put(&content, "\xad\x10\1", 3); /* i64.extend_i32_u, call r */
    } else if (result == 'I') {
        put(&content, "\x10\1", 2);
    }
    put_byte(&content, 0x0b);
    content.data[1] = (uint8_t)(content.size - 2);
    put_section(wasm, 10, &content);
}

static void check_signature(const char *signature, bool parks)
{
    AUTO(bytes_finip) struct bytes wasm = {0};
    AUTO(bytes_finip) struct bytes artefact = {0};
    const struct engine_import imports[] = {
        {"h", "f", signature, parks, parks ? host_any_parking : host_any},
        {"h", "r", "I:", false, host_result},
    };
    struct engine_link link = {.imports = imports, .import_count = ARRAY_LENGTH(imports)};
    struct process process;
    struct engine_exit exit;
    struct err err = {0};
    process_init(&process);
    assemble(signature, &wasm);
    assert_true(engine_compile(test_engine(), wasm.data, wasm.size, &artefact, &err));
    struct engine_image *image = engine_load(test_engine(), ENGINE_MODULE, NULL, &artefact, &link,
                                             &err);
    assert_string_equal(err.text, "");
    assert_non_null(image);

    struct engine_fiber *fiber = test_spawn(image, "run", &process);
    if (parks) {
        assert_false(engine_fiber_poll(fiber, &exit));
        assert_int_equal(process.waits, 1);
    }
    assert_true(engine_fiber_poll(fiber, &exit));

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    size_t count = strcspn(signature, ":");
    for (size_t i = 0; i < ENGINE_CALL_ARGUMENTS; i++) {
        assert_int_equal(process.seen[i], i < count ? i + 1 : 0);
    }
    char result = signature[count + 1];
    assert_int_equal(process.seen[SEEN_RESULT], result == 'I'   ? UINT64_C(0x1122334455667788)
                                                : result == 'i' ? UINT64_C(0x55667788)
                                                                : 0);
    engine_fiber_destroy(fiber);
    engine_image_destroy(image);
    process_fini(&process);
}

static const char *const signatures[] = {
    ":",         ":i",        ":I",           "i:",      "i:i",     "i:I",        "ii:",
    "ii:i",      "ii:I",      "iii:",         "iii:i",   "iii:I",   "iiii:",      "iiii:i",
    "iiii:I",    "iiiii:",    "iiiii:i",      "iiiii:I", "iiiiii:", "iiiiii:i",   "iiiiii:I",
    "I:",        "I:i",       "I:I",          "iI:i",    "iiI:i",   "iiiI:i",     "iiiiI:i",
    "iiiiiI:i",  "Ii:i",      "Iii:i",        "IiiI:i",  "II:I",    "iIiIiIiI:i", "IIIIIIIIII:I",
    "iiiiiiii:", "iiiiiii:I", "iiiiiiiiii:i",
};

static void every_signature_works_without_parking(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(signatures); i++) {
        check_signature(signatures[i], false);
    }
}

static void every_signature_works_with_parking(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(signatures); i++) {
        check_signature(signatures[i], true);
    }
}

static void a_wrong_signature_is_an_error(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "i", "x:", ":ii", "i:f", "iiiiiiiiiii:"};
    AUTO(bytes_finip) struct bytes wasm = {0};
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct err err;
    assemble(":", &wasm);
    assert_true(engine_compile(test_engine(), wasm.data, wasm.size, &artefact, &err));
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        const struct engine_import import = {"h", "f", wrong[i], false, host_any};
        struct engine_link link = {.imports = &import, .import_count = 1};

        assert_null(engine_load(test_engine(), ENGINE_MODULE, NULL, &artefact, &link, &err));

        assert_int_equal(err.code, ERR_INPUT);
        assert_non_null(strstr(err.text, "h::f: signature"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(arguments_and_results_keep_their_values),
        ENGINE_TEST(the_memory_window_is_the_guests_memory_as_large_as_it_is_now),
        ENGINE_TEST(a_guest_without_memory_has_no_window),
        ENGINE_TEST(a_host_function_can_end_the_guest_with_words),
        ENGINE_TEST(a_host_function_can_end_the_guest_as_if_it_returned),
        ENGINE_TEST(a_call_that_parks_is_tried_again_with_its_state),
        ENGINE_TEST(a_start_function_may_use_its_memory_and_park),
        ENGINE_TEST(every_signature_works_without_parking),
        ENGINE_TEST(every_signature_works_with_parking),
        ENGINE_TEST(a_wrong_signature_is_an_error),
    };
    return cmocka_run_group_tests_name("host functions", tests, NULL, NULL);
}
