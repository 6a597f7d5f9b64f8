#include "base/log.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/folders.h"
#include "cli/imports.h"
#include "core/node.h"
#include "guest/abi.h"
#include "guest/actor.h"

#include <errno.h>
#include <getopt.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RUN_PREOPENS_MAX = 64, RUN_ENV_MAX = 256, RUN_STACK_BYTES = 4 << 20 };

/* An actor may spawn itself; a command is alone. */
enum { ACTOR_PROCESSES_MAX = 1000 };

/* What the command line asks for. */
struct run {
    const char *path;
    const char *const *arguments; /* NULL-terminated */
    const char *environment[RUN_ENV_MAX + 1];
    size_t environment_count;
    struct engine_preopen preopens[RUN_PREOPENS_MAX];
    size_t preopen_count;
    uint64_t memory_mb, timeout_ms;
    const char *cache_folder;
    bool actor;
    const char *entry; /* NULL: the only sensible one */
    char name[64];     /* of an actor: what its file is called */
};

/* How the one process ended: filled on its worker, read by the main thread after the post. */
struct ending {
    struct exit exit;
    sem_t done;
};

static void print_help(void)
{
    puts(
        "usage: mote run [OPTIONS] FILE [ARGS...]\n"
        "       mote run --actor [OPTIONS] FILE [ARGS...]\n\n"
        "Runs a WASI preview 1 command module or a wasi:cli component in this terminal and exits\n"
        "with its status. It sees only what the options give it.\n\n"
        "  --actor                   run it as the first process of a node of its own, with\n"
        "                            mailbox, timers and names; ARGS, with blanks between them, "
        "are\n"
        "                            its input. It can spawn FILE again, by its name without "
        ".wasm\n"
        "  --entry NAME              the export to call, for actors\n"
        "  --env KEY=VALUE           a variable; again for more. KEY alone passes this shell's on\n"
        "  --dir HOST::GUEST[:ro]    a folder and the name the guest sees; HOST[:ro] keeps the "
        "name\n"
        "  --max-memory-mb N         ceiling of its memory, 1 to 4096 (default: 64)\n"
        "  --timeout-ms N            end it after that long (default: never)\n"
        "  --cache FOLDER            where compiled code is kept (default: the user's)\n\n"
        "exit status: the command's own; 134 trap, 137 out of memory or killed, 124 timeout; an\n"
        "actor: 0 for normal and shutdown, 1 for a reason of its own");
}

/* ---- words of the command line ---- */

static bool add_environment(struct run *run, char *word)
{
    if (run->environment_count == RUN_ENV_MAX || word[0] == '\0' || word[0] == '=') {
        return false;
    }
    if (strchr(word, '=') == NULL) {
        const char *value = getenv(word);
        size_t size = strlen(word) + (value == NULL ? 0 : strlen(value)) + 2;
        char *pair = malloc(size); /* lives as long as the program */
        if (value == NULL || pair == NULL) {
            free(pair);
            return value == NULL;
        }
        snprintf(pair, size, "%s=%s", word, value);
        word = pair;
    }
    run->environment[run->environment_count++] = word;
    return true;
}

/* "HOST::GUEST[:ro]" or "HOST[:ro]"; cuts `word` into its parts. */
static bool add_folder(struct run *run, char *word)
{
    if (run->preopen_count == RUN_PREOPENS_MAX) {
        return false;
    }
    bool read_only = false;
    size_t size = strlen(word);
    if (size > 3 && strcmp(word + size - 3, ":ro") == 0) {
        read_only = true;
        word[size - 3] = '\0';
    }
    const char *guest = word;
    char *colons = strstr(word, "::");
    if (colons != NULL) {
        *colons = '\0';
        guest = colons + 2;
    }
    if (word[0] == '\0' || guest[0] == '\0') {
        return false;
    }
    run->preopens[run->preopen_count++] =
        (struct engine_preopen){.host_path = word, .guest_path = guest, .read_only = read_only};
    return true;
}

/* ---- the node of one process ---- */

static void run_ended(void *argument, const struct exit *exit)
{
    struct ending *ending = argument;
    ending->exit = *exit;
    if (exit->backtrace != NULL) {
        ending->exit.backtrace = strdup(exit->backtrace);
    }
    sem_post(&ending->done);
}

static void run_exited(struct guest *guest, void *context, const struct exit *exit)
{
    (void)guest;
    run_ended(context, exit);
}

static const struct guest_role run_role = {.kind = "command", .exited = run_exited};

static int report(const struct run *run, const struct exit *exit)
{
    switch (exit->exit_class) {
    case EXIT_NORMAL:
    case EXIT_SHUTDOWN:
        return STATUS_OK;
    case EXIT_EXITED:
    case EXIT_CRASHED:
    case EXIT_CRASHED_MEMORY:
    case EXIT_CRASHED_CPU:
    case EXIT_CRASHED_TIMEOUT:
    case EXIT_KILLED:
        break;
    }
    if (exit->exit_class == EXIT_CRASHED && exit->status != 0) {
        /* The system keeps eight bits; a failure must not become a success. */
        return (exit->status & 0xff) != 0 ? exit->status & 0xff : STATUS_FAILED;
    }
    fprintf(stderr, "mote run: %s: %s: %s\n", run->path, exit_class_name(exit->exit_class),
            exit->reason);
    if (exit->backtrace != NULL) {
        fprintf(stderr, "%s\n", exit->backtrace);
    }
    if (exit->exit_class == EXIT_CRASHED_MEMORY) {
        fputs("  raise the ceiling with --max-memory-mb N\n", stderr);
    }
    return exit->exit_class == EXIT_EXITED ? STATUS_FAILED
           : exit->exit_class == EXIT_CRASHED_TIMEOUT || exit->exit_class == EXIT_CRASHED_CPU
               ? STATUS_DEADLINE
           : exit->exit_class == EXIT_CRASHED ? STATUS_TRAP
                                              : STATUS_KILLED;
}

enum { NS_PER_S = 1000000000, LATE_MS = 1000 };

/* A worker that is inside a write which its reader does not take cannot see the deadline: then the
 * whole program ends, a second later. */
static void wait_for_end(const struct run *run, struct ending *ending)
{
    struct env *env = env_system();
    uint64_t end_ns = env->monotonic_ns(env) + (run->timeout_ms + LATE_MS) * 1000000;
    struct timespec end = {.tv_sec = (time_t)(end_ns / NS_PER_S),
                           .tv_nsec = (long)(end_ns % NS_PER_S)};
    for (;;) {
        int failed = run->timeout_ms == 0 ? sem_wait(&ending->done)
                                          : sem_clockwait(&ending->done, CLOCK_MONOTONIC, &end);
        if (failed == 0) {
            return;
        }
        if (errno == ETIMEDOUT) {
            fprintf(stderr, "mote run: %s: crashed: timeout: in the middle of a write\n",
                    run->path);
            _exit(STATUS_DEADLINE);
        }
    }
}

/* The arguments as one text. */
static bool join(const char *const *arguments, struct bytes *ret)
{
    for (size_t i = 0; arguments[i] != NULL; i++) {
        if (!bytes_printf(ret, "%s%s", i == 0 ? "" : " ", arguments[i])) {
            return false;
        }
    }
    return true;
}

static bool spawn_actor(const struct run *run, struct node *node, const struct catalog *catalog,
                        struct ending *ending, struct err *err)
{
    AUTO(bytes_finip) struct bytes input = {0};
    if (!join(run->arguments, &input)) {
        return err_set_memory(err);
    }
    struct actor_options options = {.kind = "worker",
                                    .input = input.data,
                                    .input_bytes = input.size,
                                    .exited = run_ended,
                                    .exited_argument = ending};
    const struct catalog_line *line = catalog_find(catalog, run->name, strlen(run->name));
    return actor_spawn(node, line, &options, NULL, NULL, err);
}

static bool spawn_command(const struct run *run, struct node *node, struct component *component,
                          uint32_t entry, struct ending *ending, struct err *err)
{
    struct guest_options options = {.entry = entry,
                                    .role = &run_role,
                                    .context = ending,
                                    .deadline_ns = run->timeout_ms * 1000000};
    return guest_spawn(node, component, &options, NULL, NULL, err);
}

/* NULL: what is usual for its kind. */
static const char *choose_entry(const struct run *run, const struct component *component)
{
    bool stock = !run->actor && component_kind(component) == ENGINE_COMPONENT;
    return run->entry == NULL && stock ? "wasi:cli/run" : run->entry;
}

static bool run_process(const struct run *run, struct component *component, struct pool *pool,
                        int *ret_status, struct err *err)
{
    struct catalog_line line = {.name = run->name,
                                .component = component,
                                .has_entry = true,
                                .deadline_ns = run->timeout_ms * 1000000};
    if (!component_entry(component, choose_entry(run, component), &line.entry, err)) {
        return run->actor && run->entry == NULL ? err_wrap(err, "choose one with --entry NAME")
                                                : false;
    }
    struct node_options node_options = {.workers = 1,
                                        .tick_ns = 1000000,
                                        .env = env_system(),
                                        .on_tick = pool_tick,
                                        .tick_argument = pool};
    struct catalog *catalog = catalog_create(&line, 1, err);
    AUTO(node_destroyp)
    struct node *node = catalog == NULL ? NULL : node_create(&node_options, err);
    if (node == NULL || !node_start(node, err)) {
        catalog_destroy(catalog);
        return false;
    }
    struct ending ending = {0};
    sem_init(&ending.done, 0, 0);
    actor_start(node, catalog);
    bool started = run->actor ? spawn_actor(run, node, catalog, &ending, err)
                              : spawn_command(run, node, component, line.entry, &ending, err);
    if (started) {
        wait_for_end(run, &ending);
    }
    node_stop(node);
    actor_start(node, NULL);
    catalog_destroy(catalog);
    if (started) {
        *ret_status = report(run, &ending.exit);
        exit_fini(&ending.exit);
    }
    sem_destroy(&ending.done);
    return started;
}

/* All that a guest can be granted on a node where there is nobody else. */
static void grant_actor(struct grant *grant)
{
    static const char *const EVERYTHING[] = {"*", NULL};
    enum { MANY = 10000 };

    grant->quotas = (struct process_quotas){
        .ties_max = MANY,
        .timers_max = MANY,
        .registered_max = {[REGISTRY_NAME] = MANY, [REGISTRY_TAG] = MANY, [REGISTRY_GROUP] = MANY}};
    grant->mailbox = (struct mailbox_limits){.messages = MANY, .bytes = 16 << 20};
    grant->children_max = ACTOR_PROCESSES_MAX;
    grant->streams_max = 64;
    grant->stream_buffer_bytes = 256 << 10;
    grant->message_bytes_max = 4 << 20;
    grant->namespace = "main";
    grant->allow_spawn = EVERYTHING;
    grant->allow_process_control = true;
}

/* "worker" of "build/worker.wasm". */
static void name_actor(struct run *run)
{
    const char *slash = strrchr(run->path, '/');
    const char *name = slash == NULL ? run->path : slash + 1;
    const char *dot = strrchr(name, '.');
    int size = dot == NULL || dot == name ? (int)strlen(name) : (int)(dot - name);
    snprintf(run->name, sizeof run->name, "%.*s", size, name);
}

/* A module that is no command, and could not be run as one. */
static void suggest_actor(const struct run *run, struct err *err)
{
    const struct err why = *err;
    if (strstr(why.text, "imports mote::") != NULL ||
        strstr(why.text, "no export _start;") != NULL) {
        (void)err_set(err, why.code,
                      "%s; an actor runs with `mote run --actor --entry NAME %s`, and what answers "
                      "requests with `mote serve`",
                      why.text, run->path);
    }
}

static bool run_file(const struct run *run, int *ret_status, struct err *err)
{
    struct grant grant = {.name = "mote run",
                          .memory_max_bytes = run->memory_mb << 20,
                          .log_lines_per_s = 100,
                          .stdio = true,
                          .inherit_stdio = true,
                          .environment = run->environment,
                          .preopens = run->preopens,
                          .preopen_count = run->preopen_count};
    if (run->actor) {
        grant_actor(&grant);
    }
    struct component_options options = {
        .name = run->name, .path = run->path, .grant = &grant, .arguments = run->arguments};
    char folder[CACHE_PATH_BYTES];
    cache_default_folder(folder);
    struct err no_cache = {0};
    AUTO(cache_destroyp)
    struct cache *cache = cache_open(run->cache_folder != NULL ? run->cache_folder : folder,
                                     &no_cache);

    guest_start();
    struct component *component = component_open(&options, err);
    if (component == NULL) {
        return false;
    }
    struct capacity_need needs[POOL_CLASSES] = {0};
    component_add_need(component, needs);
    struct pool_options pool_options = {.workers = 1,
                                        .needs = needs,
                                        .max_processes = run->actor ? ACTOR_PROCESSES_MAX : 1,
                                        .stack_bytes = run->actor ? 0 : RUN_STACK_BYTES};
    struct pool *pool = pool_create(&pool_options, err);
    size_t import_count = 0;
    /* An actor's file may have handlers too; a command has no request that it could answer. */
    struct engine_import *gathered = run->actor ? imports_gather(&import_count) : NULL;
    const struct engine_import *imports = run->actor ? gathered : abi_imports(&import_count);
    bool good = pool != NULL && (imports != NULL || err_set_memory(err)) &&
                component_prepare(component, pool, cache, imports, import_count, err) &&
                run_process(run, component, pool, ret_status, err);
    if (!good && !run->actor && component_kind(component) == ENGINE_MODULE &&
        !component_is_command(component)) {
        suggest_actor(run, err);
    }
    component_destroy(component);
    pool_destroy(pool);
    free(gathered);
    return good;
}

static int run_here(struct run *run)
{
    if (run->actor) {
        name_actor(run);
    }
    log_configure(LOG_TEXT, LOG_WARN); /* the terminal is the guest's */
    signal(SIGPIPE, SIG_DFL);          /* as for any command: `mote run x | head` ends */
    int status = STATUS_FAILED;
    struct err err = {0};
    if (!run_file(run, &status, &err)) {
        fprintf(stderr, "mote run: %s\n", err.text);
        return STATUS_FAILED;
    }
    return status;
}

int command_run(int argc, char **argv)
{
    static const struct option longs[] = {{"actor", no_argument, NULL, 'a'},
                                          {"entry", required_argument, NULL, 'n'},
                                          {"env", required_argument, NULL, 'e'},
                                          {"dir", required_argument, NULL, 'd'},
                                          {"max-memory-mb", required_argument, NULL, 'm'},
                                          {"timeout-ms", required_argument, NULL, 't'},
                                          {"cache", required_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    static struct run run = {.memory_mb = 64,
                             .name = "run"}; /* static: what it points to lives as long */
    bool good = true;
    /* "+": what follows FILE is the guest's. */
    for (int option; good && (option = getopt_long(argc, argv, "+h", longs, NULL)) != -1;) {
        switch (option) {
        case 'a':
            run.actor = true;
            break;
        case 'n':
            run.entry = optarg;
            break;
        case 'e':
            good = add_environment(&run, optarg);
            break;
        case 'd':
            good = add_folder(&run, optarg);
            break;
        case 'm':
            good = number_parse(optarg, strlen(optarg), 4096, &run.memory_mb) && run.memory_mb > 0;
            break;
        case 't':
            good = number_parse(optarg, strlen(optarg), UINT32_MAX, &run.timeout_ms);
            break;
        case 'c':
            run.cache_folder = optarg;
            break;
        case 'h':
            print_help();
            return STATUS_OK;
        default: /* getopt has said what is wrong */
            return STATUS_USAGE;
        }
        if (!good) {
            return usage_error("run", "'%s' is not a value for %s", optarg, argv[optind - 2]);
        }
    }
    if (optind >= argc) {
        return usage_error("run", "no FILE");
    }
    if (run.entry != NULL && !run.actor) {
        return usage_error("run", "--entry is for --actor");
    }
    run.path = argv[optind];
    run.arguments = (const char *const *)&argv[optind + 1];
    return folders_allow(run.preopens, run.preopen_count, run.cache_folder) ? run_here(&run)
                                                                            : STATUS_USAGE;
}
