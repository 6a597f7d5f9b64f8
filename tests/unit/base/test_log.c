#include "cmocka_all.h"

#include "base/bytes.h"
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A log whose lines come back: started on a pipe that is large enough for the test. */
struct capture {
    int fds[2];
};

static void capture_begin(struct capture *capture, enum log_format format)
{
    assert_int_equal(pipe(capture->fds), 0);
    log_configure(format, LOG_INFO);
    assert_true(log_start(capture->fds[1]));
}

static void capture_read(struct capture *capture, struct bytes *ret)
{
    close(capture->fds[1]);
    for (;;) {
        assert_true(bytes_reserve(ret, 65536));
        ssize_t got = read(capture->fds[0], ret->data + ret->size, 65536);
        assert_true(got >= 0);
        if (got == 0) {
            break;
        }
        ret->size += (size_t)got;
    }
    close(capture->fds[0]);
    assert_true(bytes_terminate(ret));
}

static void capture_end(struct capture *capture, struct bytes *ret)
{
    log_stop();
    capture_read(capture, ret);
}

static size_t lines_in(const struct bytes *text)
{
    size_t count = 0;
    for (size_t i = 0; i < text->size; i++) {
        count += text->data[i] == '\n';
    }
    return count;
}

/* Read until there are so many lines. */
static void read_lines(struct capture *capture, struct bytes *ret, size_t count)
{
    while (lines_in(ret) < count) {
        assert_true(bytes_reserve(ret, 65536));
        ssize_t got = read(capture->fds[0], ret->data + ret->size, 65536);
        assert_true(got > 0);
        ret->size += (size_t)got;
    }
}

/* The only line, without its time and line end. */
static const char *without_time(struct bytes *lines)
{
    char *text = (char *)lines->data;
    assert_true(lines->size > 26);
    assert_int_equal(text[10], 'T');
    assert_int_equal(text[23], 'Z');
    assert_ptr_equal(strchr(text, '\n'), text + lines->size - 1);
    text[lines->size - 1] = '\0';
    return text + 25;
}

static void a_text_line_has_time_level_message_and_fields(void **state)
{
    (void)state;
    struct capture capture;
    AUTO(bytes_finip) struct bytes lines = {0};
    capture_begin(&capture, LOG_TEXT);
    log_write(LOG_INFO, "request done",
              (const struct log_field[]){
                  LOG_FIELD_STRING("method", "GET"), LOG_FIELD_NUMBER("status", 200),
                  LOG_FIELD_NUMBER("delta", INT64_MIN), LOG_FIELD_STRING("agent", "two words"),
                  LOG_FIELD_STRING("empty", ""), LOG_FIELD_END});
    capture_end(&capture, &lines);
    assert_string_equal(without_time(&lines),
                        "INFO request done method=GET status=200 delta=-9223372036854775808 "
                        "agent=\"two words\" empty=\"\"");
}

static void a_json_line_has_the_same_as_members(void **state)
{
    (void)state;
    struct capture capture;
    AUTO(bytes_finip) struct bytes lines = {0};
    capture_begin(&capture, LOG_JSON);
    log_write(LOG_WARN, "say \"hi\"",
              (const struct log_field[]){LOG_FIELD_STRING("path", "/a\\b"),
                                         LOG_FIELD_NUMBER("n", -5), LOG_FIELD_END});
    capture_end(&capture, &lines);
    assert_memory_equal(lines.data, "{\"time\":\"20", 11);
    const char *rest = strstr((const char *)lines.data, "\",\"level\"");
    assert_string_equal(rest, "\",\"level\":\"warn\",\"message\":\"say \\\"hi\\\"\","
                              "\"path\":\"/a\\\\b\",\"n\":-5}\n");
}

static void no_value_can_forge_a_line_or_steer_a_terminal(void **state)
{
    (void)state;
    static const char evil[] = "a\nb\r\tc\x1b[2J\x7f\xc2\x9b\xff\xc3\xa9\0d";
    const struct log_field fields[] = {LOG_FIELD_TEXT("v", evil, sizeof(evil) - 1), LOG_FIELD_END};
    struct capture capture;
    AUTO(bytes_finip) struct bytes text = {0};
    capture_begin(&capture, LOG_TEXT);
    log_write(LOG_INFO, "line\nbreak", fields);
    capture_end(&capture, &text);
    assert_string_equal(without_time(&text), "INFO line\\nbreak "
                                             "v=\"a\\nb\\r\\tc\\x1b[2J\\x7f\\xc2\\x9b\\xff\xc3\xa9"
                                             "\\x00d\"");
    AUTO(bytes_finip) struct bytes json = {0};
    capture_begin(&capture, LOG_JSON);
    log_write(LOG_INFO, "m", fields);
    capture_end(&capture, &json);
    assert_non_null(strstr((const char *)json.data,
                           "\"v\":\"a\\nb\\r\\tc\\u001b[2J\\u007f\\u009b\xef\xbf\xbd\xc3\xa9"
                           "\\u0000d\"}\n"));
}

static void levels_above_the_configured_one_are_not_written(void **state)
{
    (void)state;
    struct capture capture;
    AUTO(bytes_finip) struct bytes lines = {0};
    capture_begin(&capture, LOG_TEXT);
    log_configure(LOG_TEXT, LOG_WARN);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_ERROR));
    log_printf(LOG_INFO, "not this");
    log_printf(LOG_ERROR, "but %s", "this");
    capture_end(&capture, &lines);
    assert_string_equal(without_time(&lines), "ERROR but this");
}

static void a_line_that_is_too_long_is_cut_and_stays_well_formed(void **state)
{
    (void)state;
    static char longer[40000];
    memset(longer, '"', sizeof(longer));
    const struct log_field fields[] = {LOG_FIELD_TEXT("long", longer, sizeof(longer)),
                                       LOG_FIELD_NUMBER("never", 1), LOG_FIELD_END};
    struct capture capture;
    AUTO(bytes_finip) struct bytes lines = {0};
    capture_begin(&capture, LOG_JSON);
    log_write(LOG_INFO, "m", fields);
    capture_end(&capture, &lines);
    static const char end[] = "\\\"\",\"truncated\":true}\n";
    size_t length = sizeof(end) - 1;
    assert_true(lines.size > 16000 && lines.size <= 16384);
    assert_memory_equal(lines.data + lines.size - length, end, length);
    assert_null(strstr((const char *)lines.data, "never"));
    /* The field that crosses the limit with its name alone is left out whole. */
    static char filler[16384];
    for (size_t i = 16100; i < sizeof(filler); i++) {
        memset(filler, 'x', i);
        filler[i] = '\0';
        AUTO(bytes_finip) struct bytes line = {0};
        capture_begin(&capture, LOG_JSON);
        log_write(LOG_INFO, filler, fields + 1);
        capture_end(&capture, &line);
        const char *json = (const char *)line.data;
        assert_true(strstr(json, "x\",\"never\":1}\n") != NULL ||
                    strstr(json, "x\",\"truncated\":true}\n") != NULL);
    }
}

enum { FLOOD_LINES = 20000 };

static void a_reader_that_does_not_read_never_blocks_a_writer(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture, LOG_TEXT);
    uint64_t before = log_dropped();
    for (int i = 0; i < FLOOD_LINES; i++) {
        log_write(LOG_INFO,
                  "a line that is a hundred bytes long, more or less, so that they do not "
                  "all fit in the buffer of the log",
                  NULL);
    }
    assert_true(log_dropped() > before);
    /* It then says how many are missing; what is written and what is not make up all of them. */
    AUTO(bytes_finip) struct bytes lines = {0};
    const char *mark = "log lines were dropped, its reader is too slow dropped=";
    uint64_t told = 0;
    while (told == 0) {
        assert_true(bytes_reserve(&lines, 65536));
        ssize_t got = read(capture.fds[0], lines.data + lines.size, 65536);
        assert_true(got > 0);
        lines.size += (size_t)got;
        assert_true(bytes_terminate(&lines));
        const char *at = strstr((const char *)lines.data, mark);
        if (at != NULL && strchr(at, '\n') != NULL) {
            assert_int_equal(sscanf(at + strlen(mark), "%lu", &told), 1);
        }
    }
    assert_int_equal(told, log_dropped() - before);
    read_lines(&capture, &lines, FLOOD_LINES - told + 1);
    capture_end(&capture, &lines);
    assert_int_equal(lines_in(&lines), FLOOD_LINES - told + 1);
}

static void a_reader_that_is_gone_does_not_keep_the_log_from_stopping(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture, LOG_TEXT);
    close(capture.fds[0]);
    log_printf(LOG_INFO, "to nobody");
    log_stop();
    close(capture.fds[1]);
}

enum { WRITERS = 4, LINES_EACH = 500 };

static void *write_lines(void *argument)
{
    for (int i = 0; i < LINES_EACH; i++) {
        log_printf(LOG_INFO, "thread %d line %d", *(int *)argument, i);
    }
    return NULL;
}

static void *stop_log(void *argument)
{
    log_stop();
    return argument;
}

static void lines_of_many_threads_stay_whole_and_in_order(void **state)
{
    (void)state;
    struct capture capture;
    AUTO(bytes_finip) struct bytes lines = {0};
    capture_begin(&capture, LOG_TEXT);
    pthread_t threads[WRITERS];
    int names[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        names[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &names[i]), 0);
    }
    /* All lines fit in the log's buffer, so nobody needs to read meanwhile. */
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_log, NULL), 0);
    read_lines(&capture, &lines, WRITERS * LINES_EACH);
    pthread_join(stopper, NULL);
    capture_read(&capture, &lines);
    int next[WRITERS] = {0};
    for (const char *at = (const char *)lines.data; *at != '\0'; at += strcspn(at, "\n") + 1) {
        int thread = -1;
        int number = -1;
        assert_int_equal(sscanf(at + 25, "INFO thread %d line %d\n", &thread, &number), 2);
        assert_true(thread >= 0 && thread < WRITERS);
        assert_int_equal(number, next[thread]);
        next[thread]++;
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(next[i], LINES_EACH);
    }
}

/* ---- How often the writer is woken ---- */

/* Its pauses are as long as the test. */
static void patient_begin(struct capture *capture, struct bytes *ret)
{
    log_gather(60 * 60 * 1000);
    capture_begin(capture, LOG_TEXT);
    log_printf(LOG_INFO, "the first line, which is written at once");
    read_lines(capture, ret, 1);
}

static void patient_end(struct capture *capture, struct bytes *ret)
{
    capture_end(capture, ret);
    log_gather(10);
}

static void lines_behind_each_other_wake_the_writer_once(void **state)
{
    (void)state;
    struct capture capture;
    AUTO(bytes_finip) struct bytes lines = {0};
    uint64_t before = log_wakes();
    patient_begin(&capture, &lines);
    for (int i = 0; i < 100; i++) {
        log_printf(LOG_INFO, "one of many");
    }
    assert_int_equal(log_wakes(), before + 1);
    patient_end(&capture, &lines);
    assert_int_equal(lines_in(&lines), 101); /* Its end does not wait for the pause to be over. */
}

static void errors_and_warnings_are_written_at_once(void **state)
{
    (void)state;
    struct capture capture;
    AUTO(bytes_finip) struct bytes lines = {0};
    patient_begin(&capture, &lines);
    log_printf(LOG_INFO, "before it");
    log_printf(LOG_ERROR, "an error");
    read_lines(&capture, &lines, 3);
    log_printf(LOG_WARN, "a warning");
    read_lines(&capture, &lines, 4);
    patient_end(&capture, &lines);
}

static void a_buffer_half_full_is_written_at_once(void **state)
{
    (void)state;
    struct capture capture;
    AUTO(bytes_finip) struct bytes lines = {0};
    static char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    patient_begin(&capture, &lines);
    uint64_t before = log_wakes();
    for (int i = 0; i < 500; i++) {
        log_write(LOG_INFO, text, NULL);
    }
    assert_int_equal(log_wakes(), before);
    for (int i = 0; i < 24; i++) {
        log_write(LOG_INFO, text, NULL);
    }
    assert_int_equal(log_wakes(), before + 1);
    read_lines(&capture, &lines, 1 + 500);
    patient_end(&capture, &lines);
}

static void a_flush_has_everything_written(void **state)
{
    (void)state;
    struct capture capture;
    log_gather(60 * 60 * 1000);
    capture_begin(&capture, LOG_TEXT);
    assert_int_equal(fcntl(capture.fds[0], F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 10; i++) {
        log_printf(LOG_INFO, "a line");
        log_printf(LOG_INFO, "one more");
        log_flush();
        char text[200];
        ssize_t got = read(capture.fds[0], text, sizeof(text) - 1);
        assert_true(got > 0);
        text[got] = '\0';
        assert_non_null(strstr(text, "one more\n"));
    }
    log_stop();
    log_gather(10);
    log_flush(); /* Nothing, and it does not wait. */
    close(capture.fds[0]);
    close(capture.fds[1]);
}

/* In a child of its own. */
static void log_and_break(int fd)
{
    signal(SIGABRT, SIG_DFL);
    dup2(fd, STDERR_FILENO);
    if (log_start(fd)) {
        log_printf(LOG_INFO, "the first line");
        log_printf(LOG_INFO, "what led to it");
        BUG("broken");
    }
    _exit(0);
}

static void what_was_logged_stands_before_the_bug_that_ended_the_program(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    log_configure(LOG_TEXT, LOG_INFO);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        log_gather(60 * 60 * 1000);
        log_and_break(fds[1]);
    }
    struct capture capture = {.fds = {fds[0], fds[1]}};
    AUTO(bytes_finip) struct bytes lines = {0};
    capture_read(&capture, &lines);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    const char *text = (const char *)lines.data;
    const char *led = strstr(text, "what led to it\n");
    const char *bug = strstr(text, "BUG at ");
    assert_non_null(led);
    assert_non_null(bug);
    assert_true(led < bug);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_has_time_level_message_and_fields),
        cmocka_unit_test(a_json_line_has_the_same_as_members),
        cmocka_unit_test(no_value_can_forge_a_line_or_steer_a_terminal),
        cmocka_unit_test(levels_above_the_configured_one_are_not_written),
        cmocka_unit_test(a_line_that_is_too_long_is_cut_and_stays_well_formed),
        cmocka_unit_test(a_reader_that_does_not_read_never_blocks_a_writer),
        cmocka_unit_test(a_reader_that_is_gone_does_not_keep_the_log_from_stopping),
        cmocka_unit_test(lines_of_many_threads_stay_whole_and_in_order),
        cmocka_unit_test(lines_behind_each_other_wake_the_writer_once),
        cmocka_unit_test(errors_and_warnings_are_written_at_once),
        cmocka_unit_test(a_buffer_half_full_is_written_at_once),
        cmocka_unit_test(a_flush_has_everything_written),
        cmocka_unit_test(what_was_logged_stands_before_the_bug_that_ended_the_program),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
