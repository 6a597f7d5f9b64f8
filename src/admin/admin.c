#include "admin/admin.h"

#include "admin/report.h"
#include "admin/top.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/number.h"
#include "core/registry.h"
#include "serve/inheritance.h"

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How one path is answered. The target of its route. */
struct question_kind {
    struct admin *admin;
    void (*answer)(struct admin *admin, struct exchange *exchange);
};

/* An exchange that waits for the admin thread: a long list must not hold up a loop. */
struct question {
    struct list link;
    struct exchange *exchange;
    const struct question_kind *kind;
};

enum { KINDS = 8, ADMIN_NAMESPACE_BYTES = 65, ADMIN_KEY_BYTES = 80, ADMIN_REASON_BYTES = 64 };

struct admin {
    struct admin_options options;      /* constant after create */
    char address[ENDPOINT_TEXT_BYTES]; /* constant after create */
    char key[ADMIN_KEY_BYTES];         /* constant after create: of its socket */
    struct route_table *routes;        /* constant after create */
    struct question_kind kinds[KINDS]; /* constant after create */
    struct server *server;             /* constant after create */
    uint64_t started_ns;               /* constant after create */
    atomic_bool ready;                 /* any thread */
    struct lock lock;
    struct list questions; /* guarded by lock */
    atomic_bool stopping;  /* any thread */
    sem_t asked;           /* posted once a question, and to stop */
    bool running;          /* main thread */
    pthread_t thread;      /* main thread */
    struct top top;        /* admin thread */
};

void admin_default_path(const char *node_name, char ret[ADMIN_PATH_BYTES])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime != NULL && runtime[0] == '/') {
        snprintf(ret, ADMIN_PATH_BYTES, "%s/mote/%s.sock", runtime, node_name);
    } else if (geteuid() == 0) {
        snprintf(ret, ADMIN_PATH_BYTES, "/run/mote/%s.sock", node_name);
    } else {
        snprintf(ret, ADMIN_PATH_BYTES, "/tmp/mote-%u/%s.sock", (unsigned)geteuid(), node_name);
    }
}

/* ---- answers ---- */

static bool services_are_down(const struct admin *admin)
{
    return admin->options.tally != NULL && atomic_load(&admin->options.tally->down);
}

static struct report_source source_of(struct admin *admin)
{
    struct env *env = node_env(admin->options.node);
    return (struct report_source){.node = &admin->options,
                                  .ready = atomic_load(&admin->ready) && !services_are_down(admin),
                                  .uptime_ns = env->monotonic_ns(env) - admin->started_ns};
}

static void reply(struct exchange *exchange, unsigned status, const char *type, const void *body,
                  size_t size_bytes)
{
    struct header headers[] = {{.name = {"content-type", 12}, .value = {type, strlen(type)}},
                               {.name = {"cache-control", 13}, .value = {"no-store", 8}}};
    /* A client that left is the only other outcome, and needs no answer. */
    (void)!exchange_respond(exchange, status, headers, ARRAY_LENGTH(headers), body, size_bytes);
    exchange_finish(exchange, &(struct exchange_outcome){0});
}

/* Why a question has no answer. */
static void reply_line(struct exchange *exchange, unsigned status, const char *text)
{
    char line[128];
    int size = snprintf(line, sizeof line, "%s\n", text);
    reply(exchange, status, "text/plain", line, (size_t)size);
}

static void answer_health(struct admin *admin, struct exchange *exchange)
{
    (void)admin;
    reply(exchange, 200, "text/plain", "ok\n", 3);
}

static void answer_ready(struct admin *admin, struct exchange *exchange)
{
    if (!atomic_load(&admin->ready)) {
        reply(exchange, 503, "text/plain", "not ready\n", 10);
    } else if (services_are_down(admin)) {
        reply_line(exchange, 503, "not ready: all services are down");
    } else {
        reply(exchange, 200, "text/plain", "ready\n", 6);
    }
}

static enum report_form form_of(struct exchange *exchange)
{
    char wanted[8];
    int64_t size = request_query_value(exchange_request(exchange), "form", 4, wanted,
                                       sizeof wanted);
    return size == 4 && memcmp(wanted, "text", 4) == 0 ? REPORT_TEXT : REPORT_JSON;
}

static void reply_report(struct exchange *exchange, enum report_form form, bool good,
                         struct bytes *body)
{
    if (good && bytes_append(body, "\n", form == REPORT_JSON)) {
        reply(exchange, 200, form == REPORT_JSON ? "application/json" : "text/plain; charset=utf-8",
              body->data, body->size);
    } else {
        exchange_finish(exchange, &(struct exchange_outcome){.status = 500});
    }
}

static void answer_stats(struct admin *admin, struct exchange *exchange)
{
    AUTO(bytes_finip) struct bytes body = {0};
    struct report_source source = source_of(admin);
    enum report_form form = form_of(exchange);

    reply_report(exchange, form, report_stats(&source, form, &body), &body);
}

static void answer_processes(struct admin *admin, struct exchange *exchange)
{
    AUTO(bytes_finip) struct bytes body = {0};
    struct report_source source = source_of(admin);
    enum report_form form = form_of(exchange);

    reply_report(exchange, form, report_processes(&source, form, &body), &body);
}

static void answer_top(struct admin *admin, struct exchange *exchange)
{
    AUTO(bytes_finip) struct bytes body = {0};
    struct report_source source = source_of(admin);
    enum report_form form = form_of(exchange);
    char digits[20];
    int64_t size = request_query_value(exchange_request(exchange), "rows", 4, digits,
                                       sizeof digits);
    uint64_t rows = 0;

    if (size > 0 &&
        (size > (int64_t)sizeof digits || !number_parse(digits, (size_t)size, UINT32_MAX, &rows))) {
        reply_line(exchange, 400, "rows: a number is wanted");
        return;
    }
    reply_report(exchange, form, report_top(&source, &admin->top, form, rows, &body), &body);
}

/* ---- kill ---- */

/* Whom `pid=` or `name=` (and `namespace=`) means. False: it was answered. */
static bool find_victim(struct admin *admin, struct exchange *exchange, struct pid *ret)
{
    const struct request *request = exchange_request(exchange);
    char text[REGISTRY_NAME_BYTES_MAX], namespace[ADMIN_NAMESPACE_BYTES] = "main";
    int64_t size = request_query_value(request, "pid", 3, text, sizeof text);

    if (size >= 0) {
        if (size == 0 || size > (int64_t)sizeof text ||
            !number_parse(text, (size_t)size, UINT64_MAX, &ret->raw)) {
            reply_line(exchange, 400, "pid: a number is wanted");
            return false;
        }
        return true;
    }
    size = request_query_value(request, "name", 4, text, sizeof text);
    if (size <= 0 || size > (int64_t)sizeof text) {
        reply_line(exchange, 400, "a pid or a name is wanted");
        return false;
    }
    int64_t space = request_query_value(request, "namespace", 9, namespace, sizeof namespace - 1);
    if (space >= (int64_t)sizeof namespace) {
        reply_line(exchange, 400, "there is no namespace with so long a name");
        return false;
    }
    if (space >= 0) {
        namespace[space] = '\0';
    }
    struct registry_key key = {.namespace = namespace, .name = text, .name_bytes = (size_t)size};
    *ret = registry_whereis(node_registry(admin->options.node), &key);
    if (pid_is_none(*ret)) {
        reply_line(exchange, 404, "nobody has that name");
        return false;
    }
    return true;
}

static void answer_kill(struct admin *admin, struct exchange *exchange)
{
    char reason[ADMIN_REASON_BYTES] = "mote kill";
    struct pid pid = {0};
    int64_t size = request_query_value(exchange_request(exchange), "reason", 6, reason,
                                       sizeof reason - 1);

    if (size > 0) {
        reason[(size_t)size < sizeof reason ? (size_t)size : sizeof reason - 1] = '\0';
    }
    if (!find_victim(admin, exchange, &pid)) {
        return;
    }
    if (!process_kill(admin->options.node, pid, reason)) {
        reply_line(exchange, 404, "there is no such process");
        return;
    }
    log_printf(LOG_INFO, "admin: process %" PRIu64 " is killed: %s", pid.raw, reason);
    AUTO(bytes_finip) struct bytes body = {0};
    struct json json = {.to = &body, .lines = form_of(exchange) == REPORT_TEXT};
    char digits[20];
    json_open(&json, NULL, '{');
    json_text(&json, "killed", digits, number_format(pid.raw, digits));
    json_close(&json, '}');
    reply_report(exchange, form_of(exchange), json_done(&json), &body);
}

/* ---- reload ---- */

void admin_reply(struct exchange *exchange, unsigned status, const char *text)
{
    AUTO(bytes_finip) struct bytes body = {0};
    if (bytes_printf(&body, "%s\n", text)) {
        reply(exchange, status, "text/plain; charset=utf-8", body.data, body.size);
    } else {
        exchange_finish(exchange, &(struct exchange_outcome){.status = 500});
    }
}

static void answer_reload(struct admin *admin, struct exchange *exchange)
{
    char digits[20];
    int64_t size = request_query_value(exchange_request(exchange), "timeout_ms", 10, digits,
                                       sizeof digits);
    uint64_t timeout_ms = ADMIN_RELOAD_MS;

    if (size >= 0 && (size > (int64_t)sizeof digits ||
                      !number_parse(digits, (size_t)size, ADMIN_RELOAD_MS_MAX, &timeout_ms))) {
        reply_line(exchange, 400, "timeout_ms: a number up to 3600000 is wanted");
    } else if (admin->options.reload == NULL) {
        reply_line(exchange, 404, "this program cannot be replaced");
    } else {
        admin->options.reload(admin->options.reload_argument, exchange, timeout_ms);
    }
}

static void answer_swap(struct admin *admin, struct exchange *exchange)
{
    if (admin->options.swap == NULL) {
        reply_line(exchange, 404, "this program takes no new code");
    } else {
        admin->options.swap(admin->options.swap_argument, exchange);
    }
}

/* ---- the admin thread ---- */

static void *answer_questions(void *argument)
{
    struct admin *admin = argument;
    for (;;) {
        while (sem_wait(&admin->asked) != 0 && errno == EINTR) {
        }
        lock_take(&admin->lock);
        struct list *first = list_take_first(&admin->questions);
        lock_release(&admin->lock);
        if (first == NULL) {
            if (atomic_load(&admin->stopping)) {
                return NULL;
            }
            continue;
        }
        struct question *question = CONTAINER_OF(first, struct question, link);
        question->kind->answer(admin, question->exchange);
        free(question);
    }
}

static void dispatch(struct exchange *exchange, void *target, struct loop *loop)
{
    (void)loop;
    const struct question_kind *kind = target;
    struct admin *admin = kind->admin;
    struct question *question = malloc(sizeof *question);
    if (question == NULL) {
        exchange_finish(exchange, &(struct exchange_outcome){.status = 503, .retry_after_s = 1});
        return;
    }
    *question = (struct question){.exchange = exchange, .kind = kind};
    lock_take(&admin->lock);
    list_append(&admin->questions, &question->link);
    lock_release(&admin->lock);
    sem_post(&admin->asked);
}

static const struct dispatcher admin_dispatcher = {.dispatch = dispatch};

/* ---- life ---- */

static bool make_routes(struct admin *admin, struct err *err)
{
    static const struct {
        const char *method, *path;
        void (*answer)(struct admin *admin, struct exchange *exchange);
    } paths[KINDS] = {
        {"GET", "/healthz", answer_health},    {"GET", "/readyz", answer_ready},
        {"GET", "/v1/stats", answer_stats},    {"GET", "/v1/processes", answer_processes},
        {"GET", "/v1/top", answer_top},        {"POST", "/v1/kill", answer_kill},
        {"POST", "/v1/reload", answer_reload}, {"POST", "/v1/swap", answer_swap},
    };
    admin->routes = route_table_create();
    if (admin->routes == NULL) {
        return err_set_memory(err);
    }
    for (size_t i = 0; i < KINDS; i++) {
        admin->kinds[i] = (struct question_kind){.admin = admin, .answer = paths[i].answer};
        if (!route_table_add(admin->routes, paths[i].method, paths[i].path, &admin->kinds[i],
                             err)) {
            return false;
        }
    }
    return true;
}

/* The folder of the default socket is ours and closed to others, or nothing is made in it. */
static bool make_runtime_folder(const char *socket_path, struct err *err)
{
    char folder[ADMIN_PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", socket_path);
    *strrchr(folder, '/') = '\0';
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return err_set_os(err, errno, "make the runtime folder %s", folder);
    }
    struct stat info;
    if (lstat(folder, &info) != 0) {
        return err_set_os(err, errno, "runtime folder %s", folder);
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 022) != 0) {
        return err_set(err, ERR_DENIED,
                       "runtime folder %s must be a folder that only this user can write to",
                       folder);
    }
    return true;
}

static bool choose_address(struct admin *admin, struct err *err)
{
    if (admin->options.listen != NULL) {
        snprintf(admin->address, sizeof admin->address, "%s", admin->options.listen);
        return true;
    }
    struct endpoint handed_over;
    if (inheritance_find(admin->options.inheritance, admin->key, &handed_over)) {
        endpoint_format(&handed_over, false, admin->address);
        return true; /* The predecessor made its folder, perhaps as another user. */
    }
    char path[ADMIN_PATH_BYTES];
    admin_default_path(admin->options.node_name, path);
    snprintf(admin->address, sizeof admin->address, "unix:%s", path);
    return make_runtime_folder(path, err);
}

struct admin *admin_create(const struct admin_options *options, struct err *err)
{
    AUTO(admin_destroyp) struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL) {
        err_set_memory(err);
        return NULL;
    }
    admin->options = *options;
    snprintf(admin->key, sizeof admin->key, "admin:%s", options->node_name);
    lock_init(&admin->lock, LOCK_NODE);
    list_init(&admin->questions);
    sem_init(&admin->asked, 0, 0);
    struct env *env = node_env(options->node);
    admin->started_ns = env->monotonic_ns(env);
    if (!make_routes(admin, err) || !choose_address(admin, err)) {
        err_wrap(err, "admin");
        return NULL;
    }
    struct serve_options serve = {.listen = admin->address,
                                  .key = options->listen == NULL ? admin->key : NULL,
                                  .routes = admin->routes,
                                  .dispatcher = &admin_dispatcher,
                                  .header_timeout_ms = 10000,
                                  .idle_timeout_ms = 60000,
                                  .body_rate_min = 1024,
                                  .header_bytes_max = 32768,
                                  .header_count_max = 128,
                                  .target_bytes_max = 8192,
                                  .body_bytes_max = 65536,
                                  .stream_buffer_bytes = 262144,
                                  .write_timeout_ms = 30000,
                                  .unix_mode = 0600,
                                  .own_user_only = true};
    enum { ADMIN_CONNECTIONS_MAX = 64, ADMIN_REFUSALS_MAX = 4 };
    struct server_limits limits = {.connections_max = ADMIN_CONNECTIONS_MAX,
                                   .refusals_max = ADMIN_REFUSALS_MAX,
                                   .inheritance = options->inheritance};
    admin->server = server_create(options->node, &serve, 1, &limits, err);
    if (admin->server == NULL) {
        err_wrap(err, "admin (does node '%s' run already?)", options->node_name);
        return NULL;
    }
    return TAKE(admin);
}

bool admin_start(struct admin *admin, struct err *err)
{
    int reason = pthread_create(&admin->thread, NULL, answer_questions, admin);
    if (reason != 0) {
        return err_set_os(err, reason, "admin: start its thread");
    }
    admin->running = true;
    return server_start(admin->server, err);
}

void admin_set_ready(struct admin *admin, bool ready)
{
    atomic_store(&admin->ready, ready);
}

const char *admin_address(const struct admin *admin)
{
    return admin->address;
}

bool admin_hand_over(const struct admin *admin, struct handover *to, struct err *err)
{
    return server_hand_over(admin->server, to, err);
}

void admin_let_go(struct admin *admin)
{
    server_let_go(admin->server);
}

void admin_settle(struct admin *admin)
{
    server_settle(admin->server);
}

void admin_stop(struct admin *admin)
{
    enum { ADMIN_DRAIN_MS = 1000 };
    (void)server_drain(admin->server, ADMIN_DRAIN_MS);
    if (admin->running) {
        admin->running = false;
        atomic_store(&admin->stopping, true);
        sem_post(&admin->asked);
        pthread_join(admin->thread, NULL);
    }
}

void admin_destroy(struct admin *admin)
{
    if (admin == NULL) {
        return;
    }
    INVARIANT(!admin->running);
    server_destroy(admin->server);
    route_table_destroy(admin->routes);
    top_fini(&admin->top);
    sem_destroy(&admin->asked);
    lock_fini(&admin->lock);
    free(admin);
}
