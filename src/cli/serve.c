#include "base/base.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/command.h"
#include "cli/privileges.h"
#include "cli/vigil.h"

#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LISTEN_MAX = 64,
    KEPT_BYTES = 2 * 1024 * 1024, /* free ones at the end of each thread's heap */
    MAPPED_BYTES = 1024 * 1024,   /* a block of that size is a mapping of its own */
};

static void print_help(void)
{
    puts("usage: mote serve [-f mote.toml] [--listen ADDRESS]... [--cache FOLDER]\n\n"
         "Serves the app that the manifest describes. Starts its services, then prints `listening\n"
         "on ...` for each listener once it accepts connections; `running` where there is none.\n"
         "SIGTERM or SIGINT: finish what runs, stop the services, exit with 0; a second one stops\n"
         "at once.\n\n"
         "  -f, --file FILE     the manifest (default: mote.toml in this folder)\n"
         "  --listen ADDRESS    host:port, [ipv6]:port or unix:path in place of the manifest's\n"
         "                      first listener; again for the second, and so on; port 0: any free\n"
         "  --cache FOLDER      where compiled code is kept (default: the user's cache folder)\n"
         "  --notice FILE       while that file exists, browsers get it in place of every page, "
         "with\n"
         "                      status 500: what `mote dev` says of errors");
}

/* Buffers of streams come and go, up to 256 KiB at once: by default each of them would be given back to the kernel, and its pages
 * be cleared for the next one. */
static void keep_free_memory(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
}

/* Blocked in every thread, so that only wait_for_stop() takes them. */
static void block_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
    sigaddset(ret, SIGUSR1); /* the services are down, and the node is to follow: cli/services.h */
    pthread_sigmask(SIG_BLOCK, ret, NULL);
}

/* Whoever asks a second time does not want to wait; but one stop is often sent twice, to a program and to its
 * group. */
static void let_second_stop_through(void)
{
    sigset_t again;
    sigemptyset(&again);
    sigaddset(&again, SIGTERM);
    sigaddset(&again, SIGINT);
    const struct timespec same = {.tv_nsec = 20 * 1000 * 1000};
    (void)sigtimedwait(&again, NULL, &same);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &again, NULL);
}

static void print_listeners(struct app *app)
{
    const struct manifest *manifest = app_manifest(app);
    for (size_t i = 0; i < manifest->serve_count; i++) {
        printf("listening on %s\n", server_address(app_server(app), i));
    }
    if (manifest->serve_count == 0) {
        puts("running");
    }
    fflush(stdout);
}

/* Take a predecessor's place, if there is one, and serve until the end. */
static int live(struct app *app, struct inheritance *inheritance, struct vigil *vigil)
{
    struct err err = {0};
    if (!app_listen(app, &err) || !inheritance_announce(inheritance, &err) ||
        !app_accept(app, &err)) {
        fprintf(stderr, "mote serve: %s\n", err.text);
        return STATUS_FAILED;
    }
    app_settle(app);
    inheritance_settle(inheritance);
    print_listeners(app);
    int number = vigil_keep(vigil, app);
    log_printf(LOG_INFO, "%s: draining",
               number == SIGTERM  ? "SIGTERM"
               : number == SIGINT ? "SIGINT"
               : number == 0      ? "replaced"
                                  : "without services");
    let_second_stop_through();
    const char *downfall = app_downfall(app);
    bool escalated = downfall != NULL &&
                     app_manifest(app)->node.on_escalation.value == MANIFEST_STOP;
    if (escalated) {
        fprintf(stderr, "mote serve: all services are down: %s\n", downfall);
    }
    bool clean = app_drain(app);
    log_printf(LOG_INFO, clean ? "drained" : "drained; what did not finish in time was cut");
    return escalated ? STATUS_FAILED : STATUS_OK;
}

/* A compilation cannot be broken off, and may take minutes: the program ends without it. */
static _Noreturn void leave(struct app *app, int status)
{
    app_leave(app);
    log_printf(LOG_INFO, "new code was being compiled; its compilation is given up");
    log_stop();
    fflush(NULL);
    _exit(status);
}

static int serve(struct app_options *options, char **argv)
{
    sigset_t signals;
    struct err err = {0};
    AUTO(inheritance_finip) struct inheritance inheritance = {0};
    AUTO(vigil_finip)
    struct vigil vigil = {
        .signal_fd = -1, .ask_fd = -1, .notify = {.fd = -1}, .swapper = {.fd = -1}};
    keep_free_memory();
    block_signals(&signals);
    if (!inheritance_read(&inheritance, &err) || !vigil_init(&vigil, argv, &signals, &err)) {
        fprintf(stderr, "mote serve: %s\n", err.text);
        return STATUS_FAILED;
    }
    options->inheritance = &inheritance;
    options->reload = vigil_ask;
    options->reload_argument = &vigil;
    options->swap = swapper_ask;
    options->swap_argument = &vigil.swapper;
    AUTO(app_destroyp) struct app *app = app_open(options);
    if (app == NULL) {
        return STATUS_USAGE;
    }
    const struct manifest *manifest = app_manifest(app);
    if (manifest->serve_count == 0 && manifest->top_count == 0 && manifest->schedule_count == 0) {
        fprintf(stderr,
                "%s: nothing to serve: add a [[serve]] with `listen = \"127.0.0.1:8080\"`\n",
                options->path);
        return STATUS_USAGE;
    }
    if (!app_prepare(app)) {
        return STATUS_USAGE;
    }
    int status = live(app, &inheritance, &vigil);
    if (!vigil_rest(&vigil)) {
        leave(app, status);
    }
    return status;
}

int command_serve(int argc, char **argv)
{
    static const struct option longs[] = {
        {"file", required_argument, NULL, 'f'},  {"listen", required_argument, NULL, 'l'},
        {"cache", required_argument, NULL, 'c'}, {"notice", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},        {0}};
    const char *listen[LISTEN_MAX];
    struct app_options options = {.path = "mote.toml", .listen = listen};
    for (int option; (option = getopt_long(argc, argv, "f:h", longs, NULL)) != -1;) {
        switch (option) {
        case 'f':
            options.path = optarg;
            break;
        case 'l':
            if (options.listen_count == LISTEN_MAX) {
                return usage_error("serve", "more than %d listeners", LISTEN_MAX);
            }
            listen[options.listen_count++] = optarg;
            break;
        case 'c':
            options.cache_folder = optarg;
            break;
        case 'n':
            options.notice = optarg;
            break;
        case 'h':
            print_help();
            return STATUS_OK;
        default: /* getopt has said what is wrong */
            return STATUS_USAGE;
        }
    }
    if (optind < argc) {
        return usage_error("serve", "unexpected '%s'", argv[optind]);
    }
    privileges_keep_down();
    if (!log_start(STDERR_FILENO)) {
        fputs("mote serve: cannot start the log's thread\n", stderr);
        return STATUS_FAILED;
    }
    int status = serve(&options, argv - 1); /* with the program's name, which main() took off */
    log_stop();
    return status;
}
