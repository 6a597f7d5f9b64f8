/* Requests that go out, on a node with a thread and a server of the test's: who is asked when a name means something else, and
 * what is left when they are cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/fetch.h"

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a server ---- */

struct origin {
    int fd;
    uint16_t port;
    const char
        *answer; /* to every request; NULL: none, the connection stays until the guest leaves */
    atomic_uint connections;
    pthread_t thread;
};

static void origin_serve(struct origin *origin, int fd)
{
    char data[4096];
    size_t size = 0;
    ssize_t got;
    while (size < sizeof data && (got = recv(fd, data + size, sizeof data - size, 0)) > 0) {
        size += (size_t)got;
        if (origin->answer != NULL && memmem(data, size, "\r\n\r\n", 4) != NULL) {
            (void)send(fd, origin->answer, strlen(origin->answer), MSG_NOSIGNAL);
            break;
        }
    }
    close(fd);
}

static void *origin_main(void *argument)
{
    struct origin *origin = argument;
    int fd;
    while ((fd = accept(origin->fd, NULL, NULL)) >= 0) {
        atomic_fetch_add(&origin->connections, 1);
        origin_serve(origin, fd);
    }
    return NULL;
}

static void origin_open(struct origin *origin, const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *origin = (struct origin){.fd = socket(AF_INET, SOCK_STREAM, 0), .answer = answer};
    assert_int_equal(bind(origin->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(origin->fd, 8), 0);
    assert_int_equal(getsockname(origin->fd, (struct sockaddr *)&address, &size), 0);
    origin->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&origin->thread, NULL, origin_main, origin), 0);
}

static void origin_close(struct origin *origin)
{
    shutdown(origin->fd, SHUT_RDWR);
    pthread_join(origin->thread, NULL);
    close(origin->fd);
}

/* ---- names ---- */

static atomic_uint asked; /* how often a name was looked up */
static sem_t held;        /* what "slow..." waits for */
static sem_t begun;       /* one up for each of those */

/* "v4-10-0-0-1.x" is that address, "both-..." 10.0.0.1 and 127.0.0.1, "slow..." waits, all else is nothing. */
static void look_up(const char *name, struct addresses *ret)
{
    unsigned part[4];
    atomic_fetch_add(&asked, 1);
    *ret = (struct addresses){0};
    if (strncmp(name, "slow", 4) == 0) {
        sem_post(&begun);
        while (sem_wait(&held) != 0) {
        }
    }
    if (strncmp(name, "both", 4) == 0) {
        ret->count = 2;
        ret->ips[0] = (struct ip){.bytes = {10, 0, 0, 1}};
        ret->ips[1] = (struct ip){.bytes = {127, 0, 0, 1}};
    } else if (sscanf(name, "v4-%u-%u-%u-%u.", &part[0], &part[1], &part[2], &part[3]) == 4) {
        ret->count = 1;
        for (size_t i = 0; i < 4; i++) {
            ret->ips[0].bytes[i] = (uint8_t)part[i];
        }
    }
}

/* ---- a node with a client ---- */

struct world {
    struct node *node;
    struct fetcher *fetcher;
    sem_t news;
    struct pipe_end *reader;
};

static int world_create(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct err err = {0};
    world->node = node_create(&(struct node_options){.workers = 1, .env = env_system()}, &err);
    struct fetcher_options options = {.node = world->node,
                                      .fetches_max = 8,
                                      .keep_ns = 1000000,
                                      .header_bytes_max = 4096,
                                      .header_count_max = 16,
                                      .look_up = look_up};
    world->fetcher = fetcher_create(&options, &err);
    sem_init(&world->news, 0, 0);
    *state = world;
    return world->fetcher != NULL && node_start(world->node, &err) ? 0 : -1;
}

static int world_destroy(void **state)
{
    struct world *world = *state;
    fetcher_stop(world->fetcher);
    bool clean = fetcher_counts(world->fetcher).fetches == 0;
    node_stop(world->node);
    fetcher_destroy(world->fetcher);
    node_destroy(world->node);
    sem_destroy(&world->news);
    free(world);
    return clean ? 0 : -1;
}

static void on_news(void *argument)
{
    struct world *world = argument;
    sem_post(&world->news);
}

static void wait_for(sem_t *what)
{
    while (sem_wait(what) != 0) {
    }
}

static const char *beside; /* another rule of the test's */

static struct fetch *start(struct world *world, const char *rule, const char *url,
                           unsigned redirects, struct err *err)
{
    const char *rules[] = {rule, beside, NULL};
    struct network_policy *policy = network_policy_create(rules, err);
    struct fetch_request request = {.method = "GET",
                                    .method_bytes = 3,
                                    .url = url,
                                    .url_bytes = strlen(url),
                                    .redirects_max = redirects,
                                    .policy = policy};
    struct pipe_end *writer = NULL;
    struct stream_waker waker = {.wake = on_news, .argument = world};
    struct fetch *fetch = fetch_start(world->fetcher, &request, waker, &writer, &world->reader,
                                      err);
    network_policy_release(policy);
    if (fetch != NULL) {
        stream_set_reader(pipe_stream(world->reader), waker);
    }
    return fetch;
}

static enum fetch_state wait_head(struct world *world, struct fetch *fetch)
{
    while (fetch_poll(fetch) == FETCH_WAITS) {
        wait_for(&world->news);
    }
    return fetch_poll(fetch);
}

static void finish(struct world *world, struct fetch *fetch)
{
    fetch_destroy(fetch);
    pipe_finish(world->reader, false, PIPE_NO_REASON);
}

static const char *url_of(const char *host, uint16_t port)
{
    static char url[256];
    snprintf(url, sizeof url, "http://%s:%u/", host, (unsigned)port);
    return url;
}

static void assert_denied(struct world *world, const char *rule, const char *host,
                          const char *advice)
{
    struct origin origin;
    struct err err = {0};
    char line[NETWORK_ADVICE_BYTES];
    origin_open(&origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    struct fetch *fetch = start(world, rule, url_of(host, origin.port), 0, &err);
    assert_non_null(fetch);
    assert_int_equal(wait_head(world, fetch), FETCH_FAILED);
    assert_int_equal(fetch_error(fetch, NULL), FETCH_DENIED);
    assert_true(fetch_denial(fetch, line));
    assert_non_null(strstr(line, advice));
    finish(world, fetch);
    origin_close(&origin);
    assert_int_equal(atomic_load(&origin.connections), 0);
}

static void a_name_that_is_a_private_address_is_denied(void **state)
{
    assert_denied(*state, "*", "v4-127-0-0-1.a", "127.0.0.1:");
    assert_denied(*state, "*", "v4-10-0-0-1.a", "10.0.0.1:");
    assert_denied(*state, "v4-127-0-0-1.b", "v4-127-0-0-1.b", "127.0.0.1:");
    assert_denied(*state, "*.c", "v4-192-168-0-1.c", "192.168.0.1:");
}

static void what_needs_no_look_up_is_told_at_once(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    unsigned before = atomic_load(&asked);
    assert_null(start(world, "example.com", "http://secret.attacker.example/", 0, &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_string_equal(err.text, "allow-network = [\"secret.attacker.example:80\"]");
    assert_null(start(world, "*", "http://127.0.0.1:99/", 0, &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_null(start(world, "*", "file:///etc/passwd", 0, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_null(start(world, "fe80::/10", "http://[fe80::1%25lo]:99/", 0, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_null(start(world, "::1", "http://[::1%25lo]:99/", 0, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_int_equal(atomic_load(&asked), before);
    assert_int_equal(fetcher_counts(world->fetcher).fetches, 0);
}

static void of_several_addresses_only_those_in_reach_are_asked(void **state)
{
    struct world *world = *state;
    struct origin origin;
    struct err err = {0};
    origin_open(&origin,
                "HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    beside = "*"; /* names are looked up */
    struct fetch *fetch = start(world, "127.0.0.0/8", url_of("both.example", origin.port), 0, &err);
    beside = NULL;
    assert_non_null(fetch);
    assert_int_equal(wait_head(world, fetch), FETCH_ANSWERED);
    assert_int_equal(fetch_head(fetch)->status, 200);
    assert_int_equal(fetch_head(fetch)->field_count, 2); /* without Connection */
    char data[8];
    size_t size = 0;
    while (stream_read(pipe_stream(world->reader), data, sizeof data, &size) == STREAM_WAIT) {
        wait_for(&world->news);
    }
    assert_memory_equal(data, "ok", 2);
    finish(world, fetch);
    origin_close(&origin);
    assert_int_equal(atomic_load(&origin.connections), 1);
}

static void a_redirect_to_a_name_that_turns_out_private_is_denied(void **state)
{
    struct world *world = *state;
    struct origin origin;
    struct err err = {0};
    origin_open(&origin, "HTTP/1.1 302 Found\r\nLocation: http://v4-10-1-2-3.redirect:81/\r\n"
                         "Connection: close\r\nContent-Length: 0\r\n\r\n");
    beside = "*";
    struct fetch *fetch = start(world, "127.0.0.0/8", url_of("v4-127-0-0-1.first", origin.port), 3,
                                &err);
    beside = NULL;
    assert_non_null(fetch);
    assert_int_equal(wait_head(world, fetch), FETCH_FAILED);
    assert_int_equal(fetch_error(fetch, NULL), FETCH_DENIED);
    char line[NETWORK_ADVICE_BYTES];
    assert_true(fetch_denial(fetch, line));
    assert_string_equal(line, "allow-network = [\"10.1.2.3:81\"]");
    finish(world, fetch);
    origin_close(&origin);
}

static void a_name_that_is_none_is_no_answer(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    struct fetch *fetch = start(world, "*", "http://nobody.example/", 0, &err);
    assert_non_null(fetch);
    assert_int_equal(wait_head(world, fetch), FETCH_FAILED);
    assert_int_equal(fetch_error(fetch, NULL), FETCH_NAME);
    char data[8];
    size_t size = 0;
    assert_int_equal(stream_read(pipe_stream(world->reader), data, sizeof data, &size),
                     STREAM_ABORTED);
    assert_int_equal(stream_reason(pipe_stream(world->reader)), FETCH_NAME);
    finish(world, fetch);
}

static void on_loop(struct loop *loop, void *argument)
{
    (void)loop, (void)argument;
}

static void a_look_up_under_way_does_not_hold_a_cancelled_request(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    struct fetch *fetch = start(world, "*", "http://slow.example/", 0, &err);
    assert_non_null(fetch);
    wait_for(&begun);
    finish(world, fetch);
    loop_call(node_loop(world->node, 0), on_loop, NULL); /* what was posted before has run */
    assert_int_equal(fetcher_counts(world->fetcher).fetches, 0);
    sem_post(&held);
}

static struct fetch *start_within(struct world *world, const char *url, uint64_t limit_ns,
                                  struct pipe_end **ret_reader)
{
    struct err err = {0};
    const char *rules[] = {"*", "127.0.0.1", NULL};
    struct network_policy *policy = network_policy_create(rules, &err);
    struct pipe_end *writer = NULL;
    struct stream_waker waker = {.wake = on_news, .argument = world};
    struct fetch_request request = {.method = "GET",
                                    .method_bytes = 3,
                                    .url = url,
                                    .url_bytes = strlen(url),
                                    .policy = policy,
                                    .connect_ns = limit_ns,
                                    .head_ns = limit_ns,
                                    .idle_ns = limit_ns,
                                    .whole_ns = limit_ns};
    struct fetch *fetch = fetch_start(world->fetcher, &request, waker, &writer, ret_reader, &err);
    network_policy_release(policy);
    assert_non_null(fetch);
    return fetch;
}

static void times_beyond_all_numbers_are_never_over(void **state)
{
    struct world *world = *state;
    struct pipe_end *readers[2];
    struct origin silent;
    origin_open(&silent, NULL);
    struct fetch *ever = start_within(world, "http://slow.ever.example/", UINT64_MAX, &readers[0]);
    wait_for(&begun);
    struct fetch *now = start_within(world, url_of("127.0.0.1", silent.port), 1, &readers[1]);
    assert_int_equal(wait_head(world, now), FETCH_FAILED);
    assert_int_equal(fetch_error(now, NULL), FETCH_TIMEOUT);
    /* Had the first one's time been over, it would have been so before. */
    loop_call(node_loop(world->node, 0), on_loop, NULL);
    assert_int_equal(fetch_poll(ever), FETCH_WAITS);
    sem_post(&held);
    assert_int_equal(wait_head(world, ever), FETCH_FAILED);
    assert_int_equal(fetch_error(ever, NULL), FETCH_NAME);
    fetch_destroy(ever);
    fetch_destroy(now);
    pipe_finish(readers[0], false, PIPE_NO_REASON);
    pipe_finish(readers[1], false, PIPE_NO_REASON);
    origin_close(&silent);
}

static void slow_names_of_one_guest_do_not_hold_up_another(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    const char *rules[] = {"*", NULL};
    struct network_policy *policy = network_policy_create(rules, &err);
    struct fetch *slow[6];
    struct pipe_end *readers[6], *writer = NULL;
    for (unsigned i = 0; i < 6; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://slow%u.example/", i);
        struct fetch_request request = {.method = "GET",
                                        .method_bytes = 3,
                                        .url = url,
                                        .url_bytes = strlen(url),
                                        .policy = policy};
        slow[i] = fetch_start(world->fetcher, &request, (struct stream_waker){0}, &writer,
                              &readers[i], &err);
        assert_non_null(slow[i]);
    }
    for (unsigned i = 0; i < RESOLVER_SHARE_MAX; i++) {
        wait_for(&begun);
    }
    struct fetch *fetch = start(world, "*", "http://nobody.other/", 0, &err);
    assert_int_equal(wait_head(world, fetch), FETCH_FAILED);
    finish(world, fetch);
    assert_int_equal(sem_trywait(&begun), -1);
    for (unsigned i = 0; i < 6; i++) {
        fetch_destroy(slow[i]);
        pipe_finish(readers[i], false, PIPE_NO_REASON);
    }
    loop_call(node_loop(world->node, 0), on_loop, NULL);
    assert_int_equal(fetcher_counts(world->fetcher).fetches, 0);
    for (unsigned i = 0; i < RESOLVER_SHARE_MAX; i++) {
        sem_post(&held);
    }
    network_policy_release(policy);
}

static void the_end_of_the_node_ends_what_is_under_way(void **state)
{
    struct world *world = *state;
    struct origin origin;
    struct err err = {0};
    origin_open(&origin, NULL);
    struct fetch *fetch = start(world, "127.0.0.1", url_of("127.0.0.1", origin.port), 0, &err);
    assert_non_null(fetch);
    fetcher_stop(world->fetcher);
    assert_int_equal(fetch_poll(fetch), FETCH_FAILED);
    assert_int_equal(fetch_error(fetch, NULL), FETCH_CANCELLED);
    finish(world, fetch);
    assert_null(start(world, "127.0.0.1", url_of("127.0.0.1", origin.port), 0, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    origin_close(&origin);
}

static void there_are_only_so_many_at_once(void **state)
{
    struct world *world = *state;
    struct origin origin;
    struct err err = {0};
    struct fetch *fetches[8];
    struct pipe_end *readers[8];
    origin_open(&origin, NULL);
    for (unsigned i = 0; i < 8; i++) {
        fetches[i] = start(world, "127.0.0.1", url_of("127.0.0.1", origin.port), 0, &err);
        assert_non_null(fetches[i]);
        readers[i] = world->reader;
    }
    assert_null(start(world, "127.0.0.1", url_of("127.0.0.1", origin.port), 0, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    for (unsigned i = 0; i < 8; i++) {
        fetch_destroy(fetches[i]);
        pipe_finish(readers[i], false, PIPE_NO_REASON);
    }
    loop_call(node_loop(world->node, 0), on_loop, NULL);
    assert_int_equal(fetcher_counts(world->fetcher).fetches, 0);
    origin_close(&origin);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_create, world_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_is_a_private_address_is_denied),
        TEST(what_needs_no_look_up_is_told_at_once),
        TEST(of_several_addresses_only_those_in_reach_are_asked),
        TEST(a_redirect_to_a_name_that_turns_out_private_is_denied),
        TEST(a_name_that_is_none_is_no_answer),
        TEST(a_look_up_under_way_does_not_hold_a_cancelled_request),
        TEST(times_beyond_all_numbers_are_never_over),
        TEST(slow_names_of_one_guest_do_not_hold_up_another),
        TEST(the_end_of_the_node_ends_what_is_under_way),
        TEST(there_are_only_so_many_at_once),
    };
    sem_init(&held, 0, 0);
    sem_init(&begun, 0, 0);
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
