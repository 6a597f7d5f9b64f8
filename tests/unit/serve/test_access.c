#include "server_world.h"

#include "base/log.h"

#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static int pipe_ends[2];

static int make_logged_world(void **state)
{
    if (pipe(pipe_ends) != 0 || world_make(state) != 0) {
        return 1;
    }
    log_configure(LOG_JSON, LOG_INFO);
    world.options.access_log = true;
    return log_start(pipe_ends[1]) ? 0 : 1;
}

static int drop_logged_world(void **state)
{
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return world_drop(state);
}

/* Everything that was logged; no more is logged afterwards. */
static void read_log(char *ret, size_t capacity)
{
    WAIT_UNTIL(connections == 0);
    log_stop();
    ssize_t got = read(pipe_ends[0], ret, capacity - 1);
    assert_true(got > 0);
    ret[got] = 0;
}

static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, text);
    }
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text != 0; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static void every_request_has_one_line_without_its_query(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/users/a%20b?secret=1"));
    struct answer answer = client_read(&client, false);
    char id[40] = "";
    const char *found = strstr(answer.head, "X-Request-Id: ");
    assert_non_null(found);
    snprintf(id, sizeof(id), "\"id\":\"%.16s\"", found + 14);
    answer_fini(&answer);
    client_expect(&client, GET("/none"), 404, NULL);
    client_close(&client);
    char log[4000];
    read_log(log, sizeof(log));
    assert_int_equal(count_lines(log), 2);
    assert_contains(log, "\"method\":\"GET\"");
    assert_contains(log, "\"path\":\"/users/a%20b\"");
    assert_contains(log, "\"status\":200");
    assert_contains(log, "\"bytes\":3");
    assert_contains(log, "\"remote\":\"127.0.0.1:");
    assert_contains(log, "\"duration_us\":");
    assert_contains(log, id);
    assert_contains(log, "\"status\":404");
    assert_null(strstr(log, "secret"));
}

static void a_refusal_has_a_line_of_its_own(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_expect(&client, "broken\r\n\r\n", 400, NULL);
    client_close(&client);
    char log[4000];
    read_log(log, sizeof(log));
    assert_int_equal(count_lines(log), 1);
    assert_contains(log, "\"status\":400");
    assert_contains(log, "\"reason\":\"bad method\"");
    assert_contains(log, "\"remote\":\"127.0.0.1:");
}

static void end_late(struct exchange *exchange)
{
    exchange_finish(exchange,
                    &(struct exchange_outcome){.exit_class = "killed", .pid = UINT64_MAX});
}

static void a_request_whose_client_left_is_logged_when_its_process_has_ended(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/park"));
    wait_for_count(&world.parks, 1);
    client_reset(&client);
    wait_for_count(&world.gone, 1);
    world_with_parked(end_late);
    char log[4000];
    read_log(log, sizeof(log));
    assert_int_equal(count_lines(log), 1);
    assert_contains(log, "\"status\":0");
    assert_contains(log, "\"sent\":\"cut\"");
    assert_contains(log, "\"class\":\"killed\"");
    assert_contains(log, "18446744073709551615");
}

int main(void)
{
#define ACCESS_TEST(name)                                                                          \
    cmocka_unit_test_setup_teardown(name, make_logged_world, drop_logged_world)
    const struct CMUnitTest tests[] = {
        ACCESS_TEST(every_request_has_one_line_without_its_query),
        ACCESS_TEST(a_refusal_has_a_line_of_its_own),
        ACCESS_TEST(a_request_whose_client_left_is_logged_when_its_process_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
