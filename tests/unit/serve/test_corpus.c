#include "server_world.h"

#include <sys/socket.h>

struct corpus_case {
    const char *name;
    const unsigned char *bytes;
    size_t size;
    unsigned expect[20]; /* ends with 0 */
    bool closes, finish;
};

#include "http_corpus.inc"

/* Sends the bytes in pieces of `piece`, and reads what comes back. Returns what is wrong, or NULL. */
static const char *replay(const struct corpus_case *one, size_t piece)
{
    struct client client = world_connect();
    for (size_t at = 0; at < one->size; at += piece) {
        client_send(&client, one->bytes + at, one->size - at < piece ? one->size - at : piece);
    }
    if (one->finish) {
        shutdown(client.fd, SHUT_WR);
    }
    const char *wrong = NULL;
    bool is_head = one->size > 4 && memcmp(one->bytes, "HEAD", 4) == 0;
    for (size_t i = 0; one->expect[i] != 0 && wrong == NULL; i++) {
        struct answer answer = client_read(&client, is_head && i == 0);
        if (answer.status != one->expect[i] || !answer.whole) {
            print_error("%s: answer %zu has status %u, not %u\n", one->name, i, answer.status,
                        one->expect[i]);
            wrong = one->name;
        }
        if (answer.status != 0 && strstr(answer.head, "\r\nX-Request-Id: ") == NULL) {
            wrong = one->name;
        }
        answer_fini(&answer);
    }
    if (wrong == NULL && one->closes && !client_is_closed(&client)) {
        print_error("%s: not closed\n", one->name);
        wrong = one->name;
    } else if (wrong == NULL && !one->closes) {
        client_expect(&client, "GET /users/still HTTP/1.1\r\nHost: a\r\n\r\n", 200, "still");
    }
    client_close(&client);
    return wrong;
}

static void replay_all(size_t piece)
{
    unsigned failed = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (piece == 1 && cases[i].size > 2000) {
            continue; /* The parser's own tests cut these. */
        }
        failed += replay(&cases[i], piece) != NULL;
    }
    assert_int_equal(failed, 0);
    assert_true(ARRAY_LENGTH(cases) >= 60);
    WAIT_UNTIL(connections == 0);
    assert_int_equal(server_counts(world.server).buffered_bytes, 0);
}

static void every_odd_request_is_answered_as_the_corpus_says(void **state)
{
    (void)state;
    world_start();
    replay_all(SIZE_MAX / 2);
}

static void the_same_holds_when_it_comes_byte_by_byte(void **state)
{
    (void)state;
    world_start();
    replay_all(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_odd_request_is_answered_as_the_corpus_says,
                                        world_make, world_drop),
        cmocka_unit_test_setup_teardown(the_same_holds_when_it_comes_byte_by_byte, world_make,
                                        world_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
