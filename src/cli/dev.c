#include "cli/dev.h"

#include "admin/admin.h"
#include "base/number.h"
#include "cli/client.h"
#include "cli/error_page.h"
#include "manifest/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NODE_END_MS = 3000,
    ASK_S = 120,
    ASK_AGAIN_MS = 50,
    ASK_TRIES = 1200,
    SAID_BYTES_MAX = 1 << 20
};

/* ---- what is said ---- */

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("dev: ", stdout);
    vprintf(fmt, args);
    va_end(args);
    puts("");
    fflush(stdout);
}

/* Whole or not at all: the node reads it at any time. */
static void show_page(const struct dev *dev, const struct bytes *said)
{
    char draft[sizeof dev->notice + 8];
    AUTO(bytes_finip) struct bytes page = {0};
    snprintf(draft, sizeof draft, "%s.draft", dev->notice);
    int fd = error_page(said, dev->folder, &page)
                 ? open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                 : -1;
    bool good = fd >= 0 && write(fd, page.data, page.size) == (ssize_t)page.size;
    if (fd >= 0) {
        close(fd);
    }
    if (!good || rename(draft, dev->notice) != 0) {
        say("the page for browsers could not be written");
    }
}

static void show_text(const struct dev *dev, const char *text)
{
    struct bytes said = {0};
    if (dev->stopped) {
        return; /* nobody looks any more */
    }
    fprintf(stderr, "dev: %s\n", text);
    if (bytes_printf(&said, "%s\n", text)) {
        show_page(dev, &said);
    }
    bytes_fini(&said);
}

static void show_nothing(const struct dev *dev)
{
    (void)unlink(dev->notice);
}

/* ---- building ---- */

static bool ends_with(const char *line, size_t size, const char *ending)
{
    size_t length = strlen(ending);
    return size >= length && memcmp(line + size - length, ending, length) == 0;
}

/* Lines on their way from the build to the terminal, but those that say that nothing was to be done. */
static void pass_lines(struct bytes *line, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (line->size < SAID_BYTES_MAX && !bytes_append(line, &data[i], 1)) {
            return;
        }
        if (data[i] != '\n') {
            continue;
        }
        size_t length = line->size - 1;
        const char *text = (const char *)line->data;
        if (!ends_with(text, length, ": up to date") && !ends_with(text, length, "left as it is")) {
            fwrite(line->data, 1, line->size, stdout);
        }
        line->size = 0;
    }
    fflush(stdout);
}

/* Until it has closed its output, or somebody wants an end. */
static void follow(struct dev *dev, int fd, struct bytes *said)
{
    AUTO(bytes_finip) struct bytes line = {0};
    char piece[4096];
    for (;;) {
        struct pollfd wait[] = {{.fd = fd, .events = POLLIN},
                                {.fd = dev->stop_fd, .events = POLLIN}};
        if (poll(wait, ARRAY_LENGTH(wait), -1) < 0 && errno == EINTR) {
            continue;
        }
        ssize_t got = wait[1].revents != 0 ? 0 : read(fd, piece, sizeof piece);
        if (got <= 0) {
            dev->stopped = wait[1].revents != 0;
            return;
        }
        pass_lines(&line, piece, (size_t)got);
        if (said->size < SAID_BYTES_MAX && !bytes_append(said, piece, (size_t)got)) {
            return;
        }
    }
}

static bool build(struct dev *dev, struct bytes *said)
{
    struct program builder = {.pid_fd = -1};
    struct err err = {0};
    int out[2], status = 1;
    const char *words[] = {dev->own, "build", NULL};
    if (pipe2(out, O_CLOEXEC) != 0) {
        say("no pipe for the build");
        return false;
    }
    bool good = program_start(
        &builder,
        &(struct program_options){
            .words = words, .folder = dev->folder, .out_fd = out[1], .err_fd = out[1]},
        &err);
    close(out[1]);
    if (good) {
        follow(dev, out[0], said);
        good = !dev->stopped &&
               program_wait(&builder, dev->stop_fd, -1, &status) == PROGRAM_ENDED && status == 0;
        program_end(&builder, -1, 0);
    } else {
        say("%s", err.text);
    }
    close(out[0]);
    return good;
}

/* ---- the manifest ---- */

static void forget_bound(struct dev *dev)
{
    while (dev->bound_count > 0) {
        free(dev->bound[--dev->bound_count]);
    }
}

/* Where the app listens and answers, as the manifest is now. False: it has errors, which the build has told. */
static bool read_manifest(struct dev *dev, char admin[DEV_PATH_BYTES])
{
    char path[DEV_PATH_BYTES];
    struct problems problems = {0};
    struct manifest_overrides overrides = {.allow_missing_sources = true};
    snprintf(path, sizeof path, "%s/mote.toml", dev->folder);
    struct manifest *manifest = manifest_load(path, &overrides, &problems);
    problems_fini(&problems);
    if (manifest == NULL) {
        return false;
    }
    const char *listen = manifest->admin.listen.value;
    char usual[ADMIN_PATH_BYTES];
    admin_default_path(manifest->node.name.value, usual);
    snprintf(admin, DEV_PATH_BYTES, "%s", listen == NULL ? usual : listen + strlen("unix:"));
    forget_bound(dev);
    for (size_t i = 0; i < manifest->serve_count && i < DEV_LISTENERS_MAX; i++) {
        const char *at = i < dev->listen_count ? dev->listen[i] : manifest->serves[i].listen.value;
        char *copy = strdup(at);
        if (copy != NULL) {
            dev->bound[dev->bound_count++] = copy;
        }
    }
    manifest_destroy(manifest);
    return true;
}

/* ---- the node ---- */

static bool start_serve(struct dev *dev, struct program *program, const char *folder,
                        const char *const *environment, struct err *err)
{
    const char *words[2 * DEV_LISTENERS_MAX + 8] = {dev->own, "serve", "--notice", dev->notice};
    size_t count = 4;
    for (size_t i = 0; i < dev->listen_count && program == &dev->node; i++) {
        words[count++] = "--listen";
        words[count++] = dev->listen[i];
    }
    return program_start(program,
                         &(struct program_options){.words = words,
                                                   .folder = folder,
                                                   .environment = environment,
                                                   .out_fd = -1,
                                                   .err_fd = -1},
                         err);
}

/* A node that has nothing but the page, at the app's addresses. */
static void start_waiting(struct dev *dev)
{
    AUTO(bytes_finip) struct bytes text = {0};
    char path[sizeof dev->runtime + 16], runtime[sizeof dev->runtime + 32];
    struct err err = {0};
    if (dev->waiting.pid != 0 || dev->bound_count == 0) {
        return;
    }
    bool good = bytes_printf(&text, "[node]\nname = \"mote-dev\"\n[log]\nlevel = \"error\"\n");
    for (size_t i = 0; i < dev->bound_count; i++) {
        good = good && bytes_printf(&text,
                                    "[[serve]]\nlisten = \"%s\"\n[[serve.static]]\nprefix = "
                                    "\"/\"\nfolder = \"empty\"\n",
                                    dev->bound[i]);
    }
    snprintf(path, sizeof path, "%s/mote.toml", dev->runtime);
    int fd = good ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    good = fd >= 0 && write(fd, text.data, text.size) == (ssize_t)text.size;
    if (fd >= 0) {
        close(fd);
    }
    snprintf(runtime, sizeof runtime, "XDG_RUNTIME_DIR=%s", dev->runtime);
    const char *environment[] = {runtime, NULL};
    if (!good || !start_serve(dev, &dev->waiting, dev->runtime, environment, &err)) {
        say("no page for browsers: %s", good ? err.text : "it could not be written");
    }
}

static void start_node(struct dev *dev)
{
    struct err err = {0};
    program_end(&dev->waiting, dev->stop_fd, NODE_END_MS);
    if (!read_manifest(dev, dev->admin) || !start_serve(dev, &dev->node, dev->folder, NULL, &err)) {
        show_text(dev, err.code != ERR_NONE ? err.text : "the manifest has errors");
        start_waiting(dev);
        return;
    }
    dev->manifest_changed = false;
    show_nothing(dev);
}

/* Ask it, again and again while it is still starting. */
static bool ask(struct dev *dev, const char *path, struct bytes *ret, struct err *err)
{
    struct client_options options = {
        .socket = dev->admin, .timeout_s = ASK_S, .stop_fd = &dev->stop_fd};
    for (int tries = 0;; tries++) {
        *err = (struct err){0};
        ret->size = 0;
        if (client_ask(&options, true, path, ret, err)) {
            return bytes_terminate(ret) || err_set_memory(err);
        }
        struct pollfd wait[] = {{.fd = dev->node.pid_fd, .events = POLLIN},
                                {.fd = dev->stop_fd, .events = POLLIN}};
        bool again = err->code == ERR_NOT_FOUND && tries < ASK_TRIES;
        int ready = poll(wait, ARRAY_LENGTH(wait), again ? ASK_AGAIN_MS : 0);
        dev->stopped = dev->stopped || wait[1].revents != 0;
        if (!again || ready != 0) {
            return false;
        }
    }
}

/* "process 123 has taken over" */
static void follow_successor(struct dev *dev, const char *answer)
{
    static const char begin[] = "process ";
    uint64_t pid;
    size_t digits = strncmp(answer, begin, strlen(begin)) == 0
                        ? strspn(answer + strlen(begin), "0123456789")
                        : 0;
    if (digits == 0 || !number_parse(answer + strlen(begin), digits, INT32_MAX, &pid)) {
        return;
    }
    program_end(&dev->leaving, dev->stop_fd, 0);
    dev->leaving = dev->node;
    dev->leaving.grouped = false; /* its successor is in its group */
    if (!program_adopt(&dev->node, (pid_t)pid)) {
        say("process %llu has ended already", (unsigned long long)pid);
    }
}

static void reload(struct dev *dev)
{
    AUTO(bytes_finip) struct bytes answer = {0};
    struct err err = {0};
    char admin[DEV_PATH_BYTES];
    if (!ask(dev, "/v1/reload?timeout_ms=60000", &answer, &err)) {
        show_text(dev, err.text);
        return;
    }
    if (read_manifest(dev, admin)) {
        memcpy(dev->admin, admin, sizeof admin);
    }
    dev->manifest_changed = false;
    show_nothing(dev);
    say("the manifest is taken: a new node has the place of the old one, which finishes what it "
        "has "
        "begun");
    follow_successor(dev, (const char *)answer.data);
}

static void swap(struct dev *dev)
{
    AUTO(bytes_finip) struct bytes answer = {0};
    struct err err = {0};
    if (!ask(dev, "/v1/swap", &answer, &err)) {
        if (strstr(err.text, "`mote reload` takes it") != NULL) {
            reload(dev);
        } else {
            show_text(dev, err.text);
        }
        return;
    }
    show_nothing(dev);
    const char *text = answer.data != NULL ? (const char *)answer.data : "";
    if (strcmp(text, "nothing has changed\n") != 0) {
        say("%.*s", (int)strcspn(text, "\n"), text);
        for (text += strcspn(text, "\n"); *text == '\n' && text[1] != '\0';
             text += 1 + strcspn(text + 1, "\n")) {
            say("%.*s", (int)strcspn(text + 1, "\n"), text + 1);
        }
    }
}

void dev_apply(struct dev *dev)
{
    AUTO(bytes_finip) struct bytes said = {0};
    if (!build(dev, &said)) {
        if (!dev->stopped) {
            show_page(dev, &said);
            say("%s; waiting for a change",
                dev->node.pid != 0 ? "what was built last serves on" : "nothing serves yet");
        }
        if (!dev->stopped && dev->node.pid == 0) {
            char unused[DEV_PATH_BYTES];
            (void)read_manifest(dev, unused);
            start_waiting(dev);
        }
    } else if (dev->node.pid == 0) {
        start_node(dev);
    } else if (dev->manifest_changed) {
        reload(dev);
    } else {
        swap(dev);
    }
}

void dev_node_ended(struct dev *dev)
{
    int status = 0;
    char text[128];
    (void)program_wait(&dev->node, -1, 0, &status);
    snprintf(
        text, sizeof text,
        "the node has ended with status %d (its log says why); the next change starts it again",
        status);
    show_text(dev, text);
    start_waiting(dev);
}

/* ---- life ---- */

bool dev_open(struct dev *dev, struct err *err)
{
    sigset_t signals;
    char empty[sizeof dev->runtime + 16];
    dev->watch.fd = dev->node.pid_fd = dev->leaving.pid_fd = dev->waiting.pid_fd = -1;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    /* A node's successor is its child, and becomes ours when that ends. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    dev->stop_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    snprintf(dev->runtime, sizeof dev->runtime, "/tmp/mote-dev-XXXXXX");
    if (dev->stop_fd < 0 || mkdtemp(dev->runtime) == NULL) {
        dev->runtime[0] = '\0';
        return err_set_os(err, errno, "a folder of its own");
    }
    snprintf(dev->notice, sizeof dev->notice, "%s/error.html", dev->runtime);
    snprintf(empty, sizeof empty, "%s/empty", dev->runtime);
    return (mkdir(empty, 0700) == 0 || err_set_os(err, errno, "make folder %s", empty)) &&
           program_own_path(dev->own, sizeof dev->own, err) &&
           watch_open(&dev->watch, dev->folder, err);
}

static void remove_in(const struct dev *dev, const char *name, bool folder)
{
    char path[sizeof dev->runtime + 32];
    snprintf(path, sizeof path, "%s/%s", dev->runtime, name);
    (void)(folder ? rmdir(path) : unlink(path));
}

void dev_close(struct dev *dev)
{
    program_end(&dev->waiting, -1, NODE_END_MS);
    program_end(&dev->node, -1, NODE_END_MS);
    program_end(&dev->leaving, -1, 0);
    watch_close(&dev->watch);
    forget_bound(dev);
    if (dev->stop_fd >= 0) {
        close(dev->stop_fd);
    }
    if (dev->runtime[0] != '\0') {
        remove_in(dev, "error.html", false);
        remove_in(dev, "error.html.draft", false);
        remove_in(dev, "mote.toml", false);
        remove_in(dev, "mote/mote-dev.sock", false);
        remove_in(dev, "mote", true);
        remove_in(dev, "empty", true);
        (void)rmdir(dev->runtime);
    }
}
