/* From bytes to images: looking, compiling, loading, and everything that can be wrong with them. */
#include "engine_test.h"

#include "components.inc"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void inspect(const char *name, struct engine_inspection *ret)
{
    AUTO(bytes_finip) struct bytes wasm = {0};
    struct err err;
    test_wasm(name, &wasm);
    if (!engine_inspect(wasm.data, wasm.size, ret, &err)) {
        fail_msg("%s", err.text);
    }
}

static void inspection_tells_what_a_module_takes_and_wants(void **state)
{
    (void)state;
    struct engine_inspection guest, wasi, large, bare;

    inspect("guest", &guest);
    inspect("wasi", &wasi);
    inspect("large", &large);
    inspect("bare", &bare);

    assert_int_equal(guest.kind, ENGINE_MODULE);
    assert_int_equal(guest.memory_min_bytes, 64 << 10);
    assert_int_equal(guest.memories, 1);
    assert_int_equal(guest.tables, 1);
    assert_int_equal(guest.core_instances, 1);
    assert_false(guest.imports_wasi);
    assert_false(guest.command);
    assert_true(wasi.imports_wasi);
    assert_true(wasi.command);
    assert_int_equal(large.memory_min_bytes, 2 << 20);
    assert_int_equal(bare.memories, 0);
    assert_int_equal(bare.memory_min_bytes, 0);
}

static void inspection_counts_what_a_component_takes(void **state)
{
    (void)state;
    struct engine_inspection inspection;
    struct err err;

    assert_true(engine_inspect(component_fail, sizeof(component_fail), &inspection, &err));

    assert_int_equal(inspection.kind, ENGINE_COMPONENT);
    assert_int_equal(inspection.core_instances, 3);
    assert_int_equal(inspection.memories, 3);
    assert_int_equal(inspection.tables, 1);
    assert_int_equal(inspection.memory_min_bytes, 3 << 16);
    assert_true(inspection.command);
    assert_false(inspection.http);
    assert_false(inspection.imports_wasi_p3);
}

static void inspection_knows_a_component_for_a_later_wasi(void **state)
{
    (void)state;
    struct engine_inspection inspection;
    struct err err;

    assert_true(engine_inspect(component_later, sizeof(component_later), &inspection, &err));

    assert_true(inspection.imports_wasi_p3);
}

static void what_is_not_wasm_is_called_so(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "hello", "\177ELF", "(module)", "\0ASM"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct engine_inspection inspection;
        struct err err;
        const uint8_t *text = (const uint8_t *)texts[i];

        assert_false(engine_inspect(text, i == 4 ? 8 : strlen(texts[i]), &inspection, &err));

        assert_int_equal(err.code, ERR_INPUT);
        assert_ptr_equal(strstr(err.text, "not WebAssembly: "), err.text);
    }
}

/** Every prefix of good Wasm is truncated, or (between two sections) shorter but whole; none compiles
 *  into something else than the inspection promised, and none is called invalid. */
static void check_truncations(const uint8_t *wasm, size_t size_bytes)
{
    for (size_t size = 1; size < size_bytes; size++) {
        struct engine_inspection inspection;
        struct err err = {0};
        if (!engine_inspect(wasm, size, &inspection, &err)) {
            char wanted[64];
            (void)snprintf(wanted, sizeof(wanted), "truncated at byte %zu", size);
            assert_string_equal(err.text, wanted);
            assert_int_equal(err.code, ERR_INPUT);
        }
    }
}

static void a_truncated_file_says_where_it_ends(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes wasm = {0};
    test_wasm("guest", &wasm);

    check_truncations(wasm.data, wasm.size);
    check_truncations(component_print, sizeof(component_print));
}

static void no_flipped_byte_breaks_the_inspection(void **state)
{
    (void)state;
    uint8_t wasm[sizeof(component_print)];
    for (size_t i = 0; i < sizeof(wasm); i++) {
        struct engine_inspection inspection;
        struct err err = {0};
        memcpy(wasm, component_print, sizeof(wasm));
        wasm[i] ^= 0x41;

        bool fine = engine_inspect(wasm, sizeof(wasm), &inspection, &err);

        assert_true(fine || err.code == ERR_INPUT);
    }
}

static void invalid_code_is_refused_with_its_place(void **state)
{
    (void)state;
    /* A function () -> () that adds to nothing. */
    static const uint8_t wasm[] = "\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a\5\1\3\0\x6a\x0b";
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct err err;

    assert_false(engine_compile(test_engine(), wasm, sizeof(wasm) - 1, &artefact, &err));

    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, "invalid: type mismatch: expected i32 but nothing on stack "
                                  "at byte 0x17");
    assert_int_equal(artefact.size, 0);
}

static void an_invalid_section_is_refused_with_its_place(void **state)
{
    (void)state;
    /* A function of a type that is not there. */
    static const uint8_t wasm[] = "\0asm\1\0\0\0\3\2\1\5";
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct err err;

    assert_false(engine_compile(test_engine(), wasm, sizeof(wasm) - 1, &artefact, &err));

    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, "invalid: unknown type 5: type index out of bounds "
                                  "at byte 0xb");
}

static void an_artefact_loads_from_a_file(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes wasm = {0};
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct engine_link link = {.wasi = false};
    struct process process;
    struct engine_exit exit;
    struct err err;
    char path[] = "/tmp/mote-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    test_wasm("large", &wasm);
    assert_true(engine_compile(test_engine(), wasm.data, wasm.size, &artefact, &err));
    assert_int_equal(write(fd, artefact.data, artefact.size), artefact.size);
    assert_int_equal(close(fd), 0);
    process_init(&process);

    struct engine_image *image = engine_load(test_engine(), ENGINE_MODULE, path, NULL, &link, &err);
    assert_int_equal(unlink(path), 0);
    assert_non_null(image);
    struct engine_spawn_options options = {
        .process = &process, .entry = test_entry(image, "return"), .memory_max_bytes = 2 << 20};
    test_finish(engine_fiber_create(image, &options), &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    engine_image_destroy(image);
    process_fini(&process);
}

static void what_is_no_artefact_does_not_load(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes wasm = {0};
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct engine_link link = {.wasi = false};
    struct err err;
    test_wasm("large", &wasm);
    assert_true(engine_compile(test_engine(), wasm.data, wasm.size, &artefact, &err));

    assert_null(engine_load(test_engine(), ENGINE_MODULE, NULL, &wasm, &link, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, "not a compiled artefact");
    assert_null(engine_load(test_engine(), ENGINE_COMPONENT, NULL, &artefact, &link, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_null(
        engine_load(test_engine(), ENGINE_MODULE, "/nonexistent/artefact", NULL, &link, &err));
    assert_non_null(strstr(err.text, "/nonexistent/artefact"));
}

static void the_fingerprint_is_that_of_the_settings(void **state)
{
    (void)state;
    struct err err;
    struct engine_options other = test_options, same = test_options;
    other.memory_reservation_bytes = 8 << 20;
    same.fibers = 3;
    struct engine *first = engine_create(&same, &err), *second = engine_create(&other, &err);
    assert_non_null(first);
    assert_non_null(second);

    uint64_t fingerprint = engine_fingerprint(test_engine());

    assert_int_equal(engine_fingerprint(first), fingerprint);
    assert_int_not_equal(engine_fingerprint(second), fingerprint);
    engine_destroy(first);
    engine_destroy(second);
}

static void an_artefact_of_another_fingerprint_is_refused(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes wasm = {0};
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct engine_link link = {.wasi = false};
    struct engine_options options = test_options;
    struct err err;
    options.memory_reservation_bytes = 8 << 20;
    struct engine *other = engine_create(&options, &err);
    assert_non_null(other);
    test_wasm("large", &wasm);
    assert_true(engine_compile(other, wasm.data, wasm.size, &artefact, &err));

    assert_null(engine_load(test_engine(), ENGINE_MODULE, NULL, &artefact, &link, &err));

    assert_int_equal(err.code, ERR_INPUT);
    engine_destroy(other);
}

static void a_memory_larger_than_the_pools_does_not_load(void **state)
{
    (void)state;
    /* (module (memory 65)): 4 MiB and a page, where the pool has 4 MiB. */
    static const uint8_t wasm[] = "\0asm\1\0\0\0\5\3\1\0\x41";
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct engine_link link = {.wasi = false};
    struct err err;
    assert_true(engine_compile(test_engine(), wasm, sizeof(wasm) - 1, &artefact, &err));

    assert_null(engine_load(test_engine(), ENGINE_MODULE, NULL, &artefact, &link, &err));

    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "memory"));
    assert_non_null(strstr(err.text, "exceeds"));
}

static void an_unknown_import_is_named_with_what_it_wants(void **state)
{
    (void)state;
    struct err err;

    test_load_fails("missing", true, &err);
    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, "imports host::fly, a function (i32, i64) -> (f32), "
                                  "which mote does not offer");

    test_load_fails("stranger", true, &err);
    assert_string_equal(err.text, "imports env::memory, a memory, but there is no module \"env\" "
                                  "(only host, wasi_snapshot_preview1)");

    test_load_fails("wasi", false, &err);
    assert_non_null(strstr(err.text, "imports wasi_snapshot_preview1::"));
    assert_non_null(strstr(err.text, "but WASI is not offered here"));
}

static void an_import_of_another_type_is_named(void **state)
{
    (void)state;
    struct err err;

    test_load_fails("mistyped", true, &err);

    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "host::note"));
    assert_non_null(strstr(err.text, "incompatible"));
}

static void an_entry_that_is_not_there_lists_what_is(void **state)
{
    (void)state;
    struct engine_image *image = test_load("reactor");
    uint32_t entry = 0;
    struct err err;

    assert_false(engine_image_entry(image, "index", &entry, &err));

    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.text, "no export index; it exports _initialize, show");
    engine_image_destroy(image);
}

static void an_entry_of_another_type_is_refused(void **state)
{
    (void)state;
    struct engine_image *image = test_load("guest");
    uint32_t entry = 0;
    struct err err;

    assert_false(engine_image_entry(image, "wrong", &entry, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, "export wrong is a function (i32) -> (); "
                                  "an entry is a function () -> ()");
    assert_false(engine_image_entry(image, "memory", &entry, &err));
    assert_string_equal(err.text, "export memory is a memory; an entry is a function () -> ()");
    engine_image_destroy(image);
}

static void settings_that_cannot_work_are_refused(void **state)
{
    (void)state;
    struct engine_options options = test_options;
    struct err err;

    options.fibers = 0;
    assert_null(engine_create(&options, &err));
    assert_int_equal(err.code, ERR_INPUT);
    options = test_options;
    options.stack_bytes = 100;
    assert_null(engine_create(&options, &err));
    assert_int_equal(err.code, ERR_INPUT);
    options = test_options;
    options.memory_reservation_bytes = UINT64_C(1) << 45; /* 8 of these: more than there is. */
    assert_null(engine_create(&options, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    engine_destroy(NULL);
    engine_image_destroy(NULL);
}

static void the_version_is_a_number(void **state)
{
    (void)state;
    const char *version = engine_version();

    assert_in_range(version[0], '0', '9');
    assert_int_equal(strspn(version, "0123456789."), strlen(version));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(inspection_tells_what_a_module_takes_and_wants),
        ENGINE_TEST(inspection_counts_what_a_component_takes),
        ENGINE_TEST(inspection_knows_a_component_for_a_later_wasi),
        ENGINE_TEST(what_is_not_wasm_is_called_so),
        ENGINE_TEST(a_truncated_file_says_where_it_ends),
        ENGINE_TEST(no_flipped_byte_breaks_the_inspection),
        ENGINE_TEST(invalid_code_is_refused_with_its_place),
        ENGINE_TEST(an_invalid_section_is_refused_with_its_place),
        ENGINE_TEST(an_artefact_loads_from_a_file),
        ENGINE_TEST(what_is_no_artefact_does_not_load),
        ENGINE_TEST(the_fingerprint_is_that_of_the_settings),
        ENGINE_TEST(an_artefact_of_another_fingerprint_is_refused),
        ENGINE_TEST(a_memory_larger_than_the_pools_does_not_load),
        ENGINE_TEST(an_unknown_import_is_named_with_what_it_wants),
        ENGINE_TEST(an_import_of_another_type_is_named),
        ENGINE_TEST(an_entry_that_is_not_there_lists_what_is),
        ENGINE_TEST(an_entry_of_another_type_is_refused),
        ENGINE_TEST(settings_that_cannot_work_are_refused),
        ENGINE_TEST(the_version_is_a_number),
    };
    return cmocka_run_group_tests_name("loading", tests, NULL, NULL);
}
