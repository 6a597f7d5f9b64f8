#include "cli/app.h"

#include "base/log.h"
#include "cli/allowance.h"
#include "cli/certificates.h"
#include "cli/complaint.h"
#include "cli/grants.h"
#include "cli/imports.h"
#include "cli/lenders.h"
#include "cli/outbound.h"
#include "cli/privileges.h"
#include "cli/renewal.h"
#include "cli/services.h"
#include "cli/serving.h"
#include "core/node.h"
#include "guest/network.h"
#include "serve/inheritance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct app {
    struct manifest *manifest;
    char *cache_folder;
    struct cache *cache;
    struct grant *grants;             /* one a component of the manifest */
    struct engine_preopen **preopens; /* likewise */
    struct component **components;    /* likewise */
    struct engine_import *imports;    /* of all layers */
    size_t import_count;
    struct pool *pool;
    struct node *node;
    bool node_runs;
    struct fetcher *fetcher;
    struct dynamic *dynamic; /* code that guests bring */
    struct services *services;
    struct serving *servings; /* one a [[serve]] */
    struct certificates *certificates;
    struct server *server;
    struct admin *admin;
    const struct app_options *options;
    bool answers; /* the admin socket does */
};

/* ---- open ---- */

static bool allocate(struct app *app)
{
    size_t components = app->manifest->component_count + 1;
    app->grants = calloc(components, sizeof *app->grants);
    app->preopens = calloc(components, sizeof *app->preopens);
    app->components = calloc(components, sizeof *app->components);
    app->servings = calloc(app->manifest->serve_count + 1, sizeof *app->servings);
    return app->grants != NULL && app->preopens != NULL && app->components != NULL &&
           app->servings != NULL;
}

struct app *app_open(const struct app_options *options)
{
    AUTO(app_destroyp) struct app *app = calloc(1, sizeof *app);
    char folder[CACHE_PATH_BYTES];
    cache_default_folder(folder);
    const char *chosen = options->cache_folder != NULL ? options->cache_folder : folder;
    if (app == NULL || (app->cache_folder = strdup(chosen)) == NULL) {
        fputs("mote: out of memory\n", stderr);
        return NULL;
    }
    app->options = options;
    /* The runtime folder, with the admin sockets, is where the default one of any name is. */
    char runtime[ADMIN_PATH_BYTES];
    admin_default_path("", runtime);
    *strrchr(runtime, '/') = '\0';
    /* In the last two a guest would reach the memory and the environment of the node itself. */
    const char *protected_paths[] = {app->cache_folder, runtime, "/proc", "/sys"};
    struct manifest_overrides overrides = {.listen = options->listen,
                                           .listen_count = options->listen_count,
                                           .protected_paths = protected_paths,
                                           .protected_count = ARRAY_LENGTH(protected_paths)};
    AUTO(problems_finip) struct problems problems = {0};
    app->manifest = manifest_load(options->path, &overrides, &problems);
    complain_of_all(&problems);
    if (app->manifest == NULL) {
        return NULL;
    }
    if (!allocate(app)) {
        fputs("mote: out of memory\n", stderr);
        return NULL;
    }
    log_configure((enum log_format)app->manifest->log.format.value,
                  (enum log_level)app->manifest->log.level.value);
    return TAKE(app);
}

const struct manifest *app_manifest(const struct app *app)
{
    return app->manifest;
}

bool app_reload_certificates(struct app *app)
{
    return certificates_reload(app->certificates);
}

static bool swap_component(struct app *app, size_t index, struct bytes *report)
{
    const struct manifest_component *component = &app->manifest->components[index];
    struct err err = {0};
    switch (
        component_swap(app->components[index], app->cache, app->imports, app->import_count, &err)) {
    case SWAP_SAME:
        return true;
    case SWAP_DONE:
        log_printf(LOG_INFO, "component '%s' has new code: %s", component->name,
                   component->source.value);
        if (component->resident.value) {
            renewal_begin(app->node, component);
        }
        return bytes_printf(report, "component '%s' has new code\n", component->name);
    case SWAP_REFUSED:
        log_printf(LOG_ERROR, "new code refused, the old one serves on: %s", err.text);
        if (!bytes_printf(report, "%s\n", err.text)) {
            log_printf(LOG_ERROR, "out of memory");
        }
        return false;
    }
    BUG("swap");
}

bool app_swap(struct app *app, const atomic_bool *over, struct bytes *report)
{
    bool good = true;
    for (size_t i = 0; i < app->manifest->component_count && !atomic_load(over); i++) {
        good = swap_component(app, i, report) && good;
    }
    return good;
}

struct server *app_server(struct app *app)
{
    return app->server;
}

/* ---- prepare ---- */

static struct place component_place(const struct app *app,
                                    const struct manifest_component *component)
{
    return (struct place){app->manifest->path, component->line, component->column};
}

static bool open_components(struct app *app)
{
    bool good = true;
    for (size_t i = 0; i < app->manifest->component_count; i++) {
        const struct manifest_component *from = &app->manifest->components[i];
        struct err err = {0};
        app->preopens[i] = grant_fill(from, &app->grants[i]);
        if (app->preopens[i] == NULL) {
            fputs("mote: out of memory\n", stderr);
            return false;
        }
        struct component_options options = {.name = from->name,
                                            .path = from->source.value,
                                            .grant = &app->grants[i],
                                            .arguments = from->arguments,
                                            .lends = from->lends.value,
                                            .max_processes = (uint32_t)from->max_processes.value};
        app->components[i] = component_open(&options, &err);
        if (app->components[i] == NULL) {
            complain(component_place(app, from), "%s", err.text);
            good = false;
        }
    }
    return good;
}

static bool gather_imports(struct app *app)
{
    app->imports = imports_gather(&app->import_count);
    return app->imports != NULL;
}

static unsigned workers_of(const struct manifest *manifest)
{
    if (manifest->node.workers.value != 0) {
        return (unsigned)manifest->node.workers.value;
    }
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : processors > WORKERS_MAX ? WORKERS_MAX : (unsigned)processors;
}

static bool create_pool(struct app *app)
{
    struct capacity_need needs[POOL_CLASSES] = {0};
    for (size_t i = 0; i < app->manifest->component_count; i++) {
        component_add_need(app->components[i], needs);
    }
    struct pool_options options = {
        .workers = workers_of(app->manifest),
        .needs = needs,
        .max_processes = (uint32_t)app->manifest->node.max_processes.value};
    struct err err = {0};
    guest_start();
    app->pool = pool_create(&options, &err);
    if (app->pool == NULL) {
        fprintf(stderr, "mote: %s\n", err.text);
        return false;
    }
    app->manifest->node.workers.value = options.workers;
    const struct capacity_plan *plan = pool_plan(app->pool);
    if (plan->processes_wanted > plan->processes) {
        complain((struct place){app->manifest->path, app->manifest->node.max_processes.line, 0},
                 "max-processes is %u, but this machine carries %u (limited by %s): ask for fewer, "
                 "or raise that limit",
                 plan->processes_wanted, plan->processes, plan->limited_by);
        return false;
    }
    if (app->manifest->node.max_processes.value == 0) {
        app->manifest->node.max_processes =
            (struct manifest_number){pool_plan(app->pool)->processes, MANIFEST_MACHINE};
    }
    return true;
}

/* What runs from the start must leave room for what comes. */
static bool check_room(const struct app *app)
{
    const struct manifest_number *most = &app->manifest->node.max_processes;
    size_t taken = services_processes(app->manifest);

    if (taken == 0 || taken < most->value) {
        return true;
    }
    complain(
        (struct place){app->manifest->path, most->line == MANIFEST_MACHINE ? 1 : most->line, 0},
        "%zu services and supervisors run from the start, and max-processes is %llu: ask for "
        "at least %zu",
        taken, (unsigned long long)most->value, taken + 1);
    return false;
}

static bool prepare_components(struct app *app)
{
    struct err err = {0};
    app->cache = cache_open(app->cache_folder, &err);
    if (app->cache == NULL) {
        log_printf(LOG_WARN, "no cache of compiled code: %s", err.text);
    }
    bool good = true;
    for (size_t i = 0; i < app->manifest->component_count; i++) {
        if (!component_prepare(app->components[i], app->pool, app->cache, app->imports,
                               app->import_count, &err)) {
            complain(component_place(app, &app->manifest->components[i]), "%s", err.text);
            good = false;
        }
    }
    return good;
}

bool app_prepare(struct app *app)
{
    struct err err = {0};
    if (!privileges_check(app->manifest->node.user.value, &err)) {
        complain((struct place){app->manifest->path, app->manifest->node.user.line, 0}, "%s",
                 err.text);
        return false;
    }
    app->certificates = certificates_open(app->manifest);
    if (!open_components(app) || app->certificates == NULL || !gather_imports(app) ||
        !create_pool(app) || !check_room(app) || !prepare_components(app)) {
        return false;
    }
    allowance_settle(app->manifest, app->pool);
    app->services = services_create(app->manifest, app->components);
    bool good = app->services != NULL;
    for (size_t i = 0; i < app->manifest->serve_count; i++) {
        good = serving_open(&app->servings[i], app->manifest, i, app->components) && good;
    }
    return good;
}

/* ---- listen ---- */

static bool create_server(struct app *app, struct err *err)
{
    size_t count = app->manifest->serve_count;
    struct serve_options *options = calloc(count + 1, sizeof *options);
    if (options == NULL) {
        return err_set_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        options[i] = serving_options(&app->servings[i], app->manifest, i);
        options[i].notice = app->options->notice;
        options[i].tls = certificates_tls(app->certificates, i);
    }
    struct descriptor_plan plan = allowance_descriptors(app->manifest, app->pool);
    struct server_limits limits = {
        .connections_max = (uint32_t)app->manifest->node.max_connections.value,
        .refusals_max = plan.refusals,
        .buffered_bytes_max = app->manifest->node.max_buffered_mb.value << 20,
        .inheritance = app->options->inheritance};
    app->server = server_create(app->node, options, count, &limits, err);
    free(options);
    return app->server != NULL;
}

static bool create_fetcher(struct app *app, struct err *err)
{
    struct descriptor_plan plan = allowance_descriptors(app->manifest, app->pool);
    app->fetcher = outbound_create(app->manifest, plan.fetches, app->node, err);
    return app->fetcher != NULL;
}

static bool connect_lenders(struct app *app, struct err *err)
{
    struct dynamic_options options = {.pool = app->pool,
                                      .cache = app->cache,
                                      .imports = app->imports,
                                      .import_count = app->import_count};
    app->dynamic = lenders_connect(app->manifest, app->components, app->node, options, err);
    return app->dynamic != NULL;
}

bool app_listen(struct app *app, struct err *err)
{
    struct node_options options = {
        .workers = (unsigned)app->manifest->node.workers.value,
        .max_processes = (uint32_t)app->manifest->node.max_processes.value,
        .tick_ns = app->manifest->node.tick_ms.value * 1000000,
        .env = env_system(),
        .on_tick = pool_tick,
        .tick_argument = app->pool};
    app->node = node_create(&options, err);
    if (app->node == NULL || !create_fetcher(app, err) ||
        !services_connect(app->services, app->node, err) || !connect_lenders(app, err) ||
        !create_server(app, err)) {
        return false;
    }
    struct admin_options admin = {.node = app->node,
                                  .pool = app->pool,
                                  .server = app->server,
                                  .components = app->components,
                                  .component_count = app->manifest->component_count,
                                  .jobs = services_jobs(app->services),
                                  .job_count = app->manifest->schedule_count,
                                  .tally = services_tally(app->services),
                                  .node_name = app->manifest->node.name.value,
                                  .listen = app->manifest->admin.listen.value,
                                  .reload = app->options->reload,
                                  .reload_argument = app->options->reload_argument,
                                  .swap = app->options->swap,
                                  .swap_argument = app->options->swap_argument,
                                  .inheritance = app->options->inheritance};
    app->admin = admin_create(&admin, err);
    if (app->admin == NULL || !privileges_drop(app->manifest->node.user.value, err) ||
        !node_start(app->node, err)) {
        return false;
    }
    app->node_runs = true;
    const struct inheritance *inheritance = app->options->inheritance;
    app->answers = inheritance == NULL || !inheritance->succeeds;
    return (!app->answers || admin_start(app->admin, err)) && services_start(app->services, err);
}

bool app_accept(struct app *app, struct err *err)
{
    if ((!app->answers && !admin_start(app->admin, err)) || !server_start(app->server, err)) {
        return false;
    }
    services_schedule(app->services);
    const struct capacity_plan *plan = pool_plan(app->pool);
    log_printf(LOG_INFO, "node '%s': room for %u processes on %u workers (limited by %s)",
               app->manifest->node.name.value, plan->processes, node_workers(app->node),
               plan->limited_by);
    admin_set_ready(app->admin, true);
    return true;
}

bool app_hand_over(const struct app *app, struct handover *to, struct err *err)
{
    return server_hand_over(app->server, to, err) && admin_hand_over(app->admin, to, err);
}

void app_let_go(struct app *app)
{
    server_let_go(app->server);
    admin_let_go(app->admin);
}

void app_settle(struct app *app)
{
    server_settle(app->server);
    admin_settle(app->admin);
}

struct node *app_node(struct app *app)
{
    return app->node;
}

const char *app_downfall(const struct app *app)
{
    return services_downfall(app->services);
}

bool app_drain(struct app *app)
{
    enum { SERVICES_MS_MIN = 1000 }; /* also when requests have taken all the time that there was */
    struct env *env = env_system();
    uint64_t drain_ms = app->manifest->node.drain_ms.value;
    uint64_t began_ns = env->monotonic_ns(env);

    admin_set_ready(app->admin, false);
    services_unschedule(app->services);
    bool clean = server_drain(app->server, (uint32_t)drain_ms);
    uint64_t spent_ms = (env->monotonic_ns(env) - began_ns) / 1000000;
    uint64_t left_ms = drain_ms > spent_ms + SERVICES_MS_MIN ? drain_ms - spent_ms
                                                             : SERVICES_MS_MIN;
    /* Last: what was being answered may have needed them. */
    return services_stop(app->services, left_ms) && clean;
}

/* ---- destroy ---- */

void app_leave(struct app *app)
{
    if (app->node_runs) {
        (void)services_stop(app->services, 0);
        admin_stop(app->admin);
        node_drain(app->node);
        dynamic_stop(app->dynamic);
        fetcher_stop(app->fetcher);
        node_stop(app->node);
    }
    admin_destroy(app->admin);
    server_destroy(app->server);
}

void app_destroy(struct app *app)
{
    if (app == NULL) {
        return;
    }
    app_leave(app);
    certificates_destroy(app->certificates);
    services_destroy(app->services);
    fetcher_destroy(app->fetcher);
    node_destroy(app->node);
    dynamic_destroy(app->dynamic);
    for (size_t i = 0; app->manifest != NULL && i < app->manifest->component_count; i++) {
        if (app->components != NULL) {
            component_destroy(app->components[i]);
        }
        if (app->preopens != NULL) {
            free(app->preopens[i]);
            network_policy_release(app->grants[i].network);
        }
    }
    for (size_t i = 0;
         app->servings != NULL && app->manifest != NULL && i < app->manifest->serve_count; i++) {
        serving_close(&app->servings[i]);
    }
    pool_destroy(app->pool);
    cache_destroy(app->cache);
    free(app->imports);
    free(app->components);
    free(app->preopens);
    free(app->grants);
    free(app->servings);
    free(app->cache_folder);
    manifest_destroy(app->manifest);
    free(app);
}
