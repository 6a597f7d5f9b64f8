/* WASI preview 1 for modules. */
#include "engine_test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WASI_SUCCESS = 0 };

static void run(const char *entry, struct process *process, const struct engine_wasi *wasi,
                struct engine_exit *ret)
{
    struct engine_image *image = test_load("wasi");
    test_finish(test_spawn_wasi(image, entry, process, wasi), process, ret);
    engine_image_destroy(image);
}

static void assert_output(const struct process *process, int fd, const char *text, size_t size)
{
    assert_int_equal(process->output[fd].size, size);
    assert_memory_equal(process->output[fd].data, text, size);
}

static void a_guests_output_goes_to_its_process(void **state)
{
    (void)state;
    struct engine_wasi wasi = {.output = test_output};
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run("hello", &process, &wasi, &exit);
    run("hello-error", &process, &wasi, &exit);

    test_noted(&process, 2, WASI_SUCCESS, WASI_SUCCESS);
    assert_output(&process, 1, "hello from a guest\n", 19);
    assert_output(&process, 2, "hello", 5);
    process_fini(&process);
}

static void large_output_arrives_whole(void **state)
{
    (void)state;
    struct engine_wasi wasi = {.output = test_output};
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run("much", &process, &wasi, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    assert_int_equal(process.output[1].size, 100 << 10);
    assert_int_equal(process.output[1].data[(100 << 10) - 1], 'x');
    process_fini(&process);
}

static void refused_output_is_an_error_for_the_guest(void **state)
{
    (void)state;
    struct engine_wasi none = {.output = NULL}, refusing = {.output = test_output};
    const struct engine_wasi *worlds[] = {&none, &refusing, NULL};
    for (size_t i = 0; i < ARRAY_LENGTH(worlds); i++) {
        struct process process;
        struct engine_exit exit;
        process_init(&process);
        process.refuse_output = true;

        run("hello", &process, worlds[i], &exit);

        assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
        assert_int_equal(process.note_count, 1);
        assert_int_not_equal(process.notes[0], WASI_SUCCESS);
        process_fini(&process);
    }
}

static void inherited_output_is_the_nodes_own(void **state)
{
    (void)state;
    struct engine_wasi wasi = {.inherit_stderr = true};
    struct process process;
    struct engine_exit exit;
    char text[16] = {0};
    int pipes[2];
    process_init(&process);
    assert_int_equal(pipe(pipes), 0);
    int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0);
    assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);

    run("hello-error", &process, &wasi, &exit);

    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    assert_int_equal(close(kept) + close(pipes[1]), 0);
    assert_int_equal(read(pipes[0], text, sizeof(text)), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(close(pipes[0]), 0);
    process_fini(&process);
}

static void inherited_input_parks_the_guest_until_there_is_some(void **state)
{
    (void)state;
    struct engine_wasi wasi = {.inherit_stdin = true, .output = test_output};
    struct process process;
    struct engine_exit exit;
    int pipes[2];
    process_init(&process);
    assert_int_equal(pipe(pipes), 0);
    int kept = dup(STDIN_FILENO);
    assert_true(kept >= 0);
    assert_true(dup2(pipes[0], STDIN_FILENO) >= 0);
    struct engine_image *image = test_load("wasi");
    struct engine_fiber *fiber = test_spawn_wasi(image, "echo", &process, &wasi);

    assert_false(engine_fiber_poll(fiber, &exit));
    assert_int_equal(write(pipes[1], "typed", 5), 5);
    test_finish(fiber, &process, &exit);

    assert_true(dup2(kept, STDIN_FILENO) >= 0);
    assert_int_equal(close(kept) + close(pipes[0]) + close(pipes[1]), 0);
    test_noted(&process, 1, WASI_SUCCESS);
    assert_output(&process, 1, "typed", 5);
    engine_image_destroy(image);
    process_fini(&process);
}

static void exit_statuses_are_told(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run("exit-7", &process, NULL, &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_STATUS);
    assert_int_equal(exit.status, 7);
    assert_null(exit.backtrace);
    run("_start", &process, NULL, &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_STATUS);
    assert_int_equal(exit.status, 0);
    process_fini(&process);
}

static void arguments_and_environment_reach_the_guest(void **state)
{
    (void)state;
    static const char *const arguments[] = {"prog", "one", "zwei \xc3\xa4", NULL};
    static const char *const environment[] = {"A=1", "EMPTY=", "B=x=y", NULL};
    struct engine_wasi wasi = {
        .arguments = arguments, .environment = environment, .output = test_output};
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run("world", &process, &wasi, &exit);

    static const char wanted[] = "prog\0one\0zwei \xc3\xa4\0A=1\0EMPTY=\0B=x=y";
    assert_output(&process, 1, wanted, sizeof(wanted));
    process_fini(&process);
}

static void a_sleeping_guest_parks_and_is_woken(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    struct engine_image *image = test_load("wasi");
    struct engine_fiber *fiber = test_spawn(image, "nap", &process);

    assert_false(engine_fiber_poll(fiber, &exit));
    while (sem_wait(&process.woken) != 0) {
        assert_int_equal(errno, EINTR);
    }
    test_finish(fiber, &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    test_noted(&process, 1, WASI_SUCCESS);
    engine_image_destroy(image);
    process_fini(&process);
}

static void a_sleeping_guest_can_be_cancelled(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    struct engine_image *image = test_load("wasi");
    struct engine_fiber *fiber = test_spawn(image, "sleep", &process);

    assert_false(engine_fiber_poll(fiber, &exit));
    assert_true(atomic_load(&process.references) > 0);
    engine_fiber_destroy(fiber);

    assert_int_equal(process.note_count, 0);
    engine_image_destroy(image);
    process_fini(&process); /* No waker is left. */
}

static void clocks_work_without_any_grant(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run("clock", &process, NULL, &exit);

    assert_int_equal(process.note_count, 2);
    assert_int_equal(process.notes[0], WASI_SUCCESS);
    process_fini(&process);
}

static void a_guest_may_import_wasi_and_never_call_it(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run("without-wasi", &process, NULL, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    test_noted(&process, 1, 1);
    process_fini(&process);
}

/* ---- folders ---- */

struct folder {
    char path[64], file[96];
    struct engine_preopen preopen;
    struct engine_wasi wasi;
};

static void folder_make(struct folder *folder, bool read_only, bool with_file)
{
    *folder = (struct folder){.path = "/tmp/mote-test-XXXXXX"};
    assert_non_null(mkdtemp(folder->path));
    (void)snprintf(folder->file, sizeof(folder->file), "%s/note.txt", folder->path);
    if (with_file) {
        FILE *file = fopen(folder->file, "w");
        assert_non_null(file);
        assert_true(fputs("from the host", file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    folder->preopen = (struct engine_preopen){folder->path, "/data", read_only};
    folder->wasi = (struct engine_wasi){
        .preopens = &folder->preopen, .preopen_count = 1, .output = test_output};
}

static void folder_remove(struct folder *folder)
{
    (void)unlink(folder->file);
    assert_int_equal(rmdir(folder->path), 0);
}

static void a_file_of_a_preopened_folder_can_be_read(void **state)
{
    (void)state;
    struct folder folder;
    struct process process;
    struct engine_exit exit;
    folder_make(&folder, true, true);
    process_init(&process);

    run("read-file", &process, &folder.wasi, &exit);

    test_noted(&process, 2, WASI_SUCCESS, WASI_SUCCESS);
    assert_output(&process, 1, "from the host", 13);
    folder_remove(&folder);
    process_fini(&process);
}

static void a_writable_folder_takes_files(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes content = {0};
    struct folder folder;
    struct process process;
    struct engine_exit exit;
    struct err err;
    folder_make(&folder, false, false);
    process_init(&process);

    run("write-file", &process, &folder.wasi, &exit);

    test_noted(&process, 2, WASI_SUCCESS, WASI_SUCCESS);
    assert_true(bytes_read_file(&content, folder.file, 100, &err));
    assert_int_equal(content.size, 4);
    assert_memory_equal(content.data, "kept", 4);
    folder_remove(&folder);
    process_fini(&process);
}

static void a_read_only_folder_takes_none(void **state)
{
    (void)state;
    struct folder folder;
    struct process process;
    struct engine_exit exit;
    folder_make(&folder, true, false);
    process_init(&process);

    run("write-file", &process, &folder.wasi, &exit);

    assert_int_not_equal(process.notes[0], WASI_SUCCESS);
    assert_int_not_equal(access(folder.file, F_OK), 0);
    folder_remove(&folder);
    process_fini(&process);
}

static size_t descriptors_open(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    assert_int_equal(closedir(folder), 0);
    return count;
}

static void a_guest_cannot_use_up_the_nodes_descriptors(void **state)
{
    (void)state;
    struct folder folder;
    struct process process;
    struct engine_exit exit;
    folder_make(&folder, true, true);
    process_init(&process);
    size_t before = descriptors_open();

    run("open-many", &process, &folder.wasi, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_HOST);
    assert_string_equal(exit.text, "more than 256 files, streams and timers of WASI at once");
    assert_int_equal(descriptors_open(), before);
    engine_exit_fini(&exit);
    folder_remove(&folder);
    process_fini(&process);
}

static void what_a_guest_closes_does_not_count(void **state)
{
    (void)state;
    struct folder folder;
    struct process process;
    struct engine_exit exit;
    folder_make(&folder, true, true);
    process_init(&process);

    run("open-and-close-many", &process, &folder.wasi, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    folder_remove(&folder);
    process_fini(&process);
}

static void without_a_preopen_there_are_no_files(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run("read-file", &process, NULL, &exit);

    assert_int_not_equal(process.notes[0], WASI_SUCCESS);
    process_fini(&process);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct engine_preopen preopen = {"/nonexistent/folder", "/data", true};
    struct engine_wasi wasi = {.preopens = &preopen, .preopen_count = 1};
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run("without-wasi", &process, &wasi, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_HOST);
    assert_non_null(strstr(exit.text, "open folder /nonexistent/folder for the guest: "));
    assert_non_null(strstr(exit.text, "No such file"));
    assert_int_equal(process.note_count, 0);
    engine_exit_fini(&exit);
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_guests_output_goes_to_its_process),
        ENGINE_TEST(large_output_arrives_whole),
        ENGINE_TEST(refused_output_is_an_error_for_the_guest),
        ENGINE_TEST(inherited_output_is_the_nodes_own),
        ENGINE_TEST(inherited_input_parks_the_guest_until_there_is_some),
        ENGINE_TEST(exit_statuses_are_told),
        ENGINE_TEST(arguments_and_environment_reach_the_guest),
        ENGINE_TEST(a_sleeping_guest_parks_and_is_woken),
        ENGINE_TEST(a_sleeping_guest_can_be_cancelled),
        ENGINE_TEST(clocks_work_without_any_grant),
        ENGINE_TEST(a_guest_may_import_wasi_and_never_call_it),
        ENGINE_TEST(a_file_of_a_preopened_folder_can_be_read),
        ENGINE_TEST(a_writable_folder_takes_files),
        ENGINE_TEST(a_read_only_folder_takes_none),
        ENGINE_TEST(a_guest_cannot_use_up_the_nodes_descriptors),
        ENGINE_TEST(what_a_guest_closes_does_not_count),
        ENGINE_TEST(without_a_preopen_there_are_no_files),
        ENGINE_TEST(a_folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests_name("WASI", tests, NULL, NULL);
}
