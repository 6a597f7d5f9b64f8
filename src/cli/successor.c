#include "cli/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Its environment ---- */

static bool is_ours(const char *variable)
{
    static const char *const names[] = {"LISTEN_PID=",     "LISTEN_FDS=",    "LISTEN_FDNAMES=",
                                        "LISTEN_PIDFDID=", "MOTE_HANDOVER=", "WATCHDOG_PID="};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

enum { OWN_VARIABLES = 4 };

struct environment {
    char **variables;
    struct bytes own[OWN_VARIABLES];
};

static void environment_fini(struct environment *environment)
{
    free(environment->variables);
    for (size_t i = 0; i < OWN_VARIABLES; i++) {
        bytes_fini(&environment->own[i]);
    }
}

static bool environment_make(struct environment *ret, const struct handover *sockets)
{
    size_t count = 0, to = 0;
    while (environ[count] != NULL) {
        count++;
    }
    *ret = (struct environment){.variables = calloc(count + OWN_VARIABLES + 1, sizeof(char *))};
    int control = INHERITANCE_FIRST + (int)sockets->count;
    if (ret->variables == NULL || !bytes_printf(&ret->own[0], "LISTEN_PID=%d", (int)getpid()) ||
        !bytes_printf(&ret->own[1], "LISTEN_FDS=%u", sockets->count) ||
        !bytes_printf(&ret->own[2], "LISTEN_FDNAMES=%.*s", (int)sockets->names.size,
                      sockets->names.size == 0 ? "" : (const char *)sockets->names.data) ||
        !bytes_printf(&ret->own[3], "MOTE_HANDOVER=%d:%d", control, control + 1)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_ours(environ[i])) {
            ret->variables[to++] = environ[i];
        }
    }
    for (size_t i = 0; i < OWN_VARIABLES; i++) {
        if (!bytes_terminate(&ret->own[i])) {
            return false;
        }
        ret->variables[to++] = (char *)ret->own[i].data;
    }
    return true;
}

/* ---- Its descriptors ---- */

/* Where each of ours goes. Copies above all targets first, so that none is overwritten before its turn. */
struct moves {
    posix_spawn_file_actions_t actions;
    int copies[INHERITANCE_MAX + 3];
    unsigned count;
};

static bool move(struct moves *moves, int from, int to, int above)
{
    int copy = fcntl(from, F_DUPFD_CLOEXEC, above);
    if (copy < 0) {
        return false;
    }
    moves->copies[moves->count++] = copy;
    errno = posix_spawn_file_actions_adddup2(&moves->actions, copy, to);
    return errno == 0;
}

static bool move_all(struct moves *moves, const struct handover *sockets, int control, int errors)
{
    int end = INHERITANCE_FIRST + (int)sockets->count + 2;
    for (unsigned i = 0; i < sockets->count; i++) {
        if (!move(moves, sockets->fds[i], INHERITANCE_FIRST + (int)i, end)) {
            return false;
        }
    }
    return move(moves, control, end - 2, end) && move(moves, STDERR_FILENO, end - 1, end) &&
           move(moves, errors, STDERR_FILENO, end) &&
           (errno = posix_spawn_file_actions_addclosefrom_np(&moves->actions, end)) == 0;
}

static void moves_fini(struct moves *moves)
{
    for (unsigned i = 0; i < moves->count; i++) {
        close(moves->copies[i]);
    }
    posix_spawn_file_actions_destroy(&moves->actions);
}

/* ---- Start ---- */

static bool spawn(struct successor *successor, char **argv, const struct handover *sockets,
                  int control, int errors, struct err *err)
{
    struct environment environment = {0};
    struct moves moves = {0};
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&moves.actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    bool good = environment_make(&environment, sockets) || err_set_memory(err);
    if (good && !move_all(&moves, sockets, control, errors)) {
        good = err_set_os(err, errno, "hand over the listening sockets");
    }
    if (good) {
        int os = posix_spawnp(&successor->pid, argv[0], &moves.actions, &attributes, argv,
                              environment.variables);
        good = os == 0 || err_set_os(err, os, "start %s", argv[0]);
    }
    posix_spawnattr_destroy(&attributes);
    moves_fini(&moves);
    environment_fini(&environment);
    return good;
}

bool successor_start(struct successor *successor, char **argv, const struct handover *sockets,
                     struct err *err)
{
    int control[2], errors[2];
    *successor = (struct successor){.control_fd = -1, .error_fd = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, control) != 0) {
        return err_set_os(err, errno, "socketpair");
    }
    if (pipe2(errors, O_CLOEXEC) != 0) {
        int os = errno;
        close(control[0]);
        close(control[1]);
        return err_set_os(err, os, "pipe");
    }
    /* Only this end: the other one's mode is the successor's standard error. */
    (void)fcntl(errors[0], F_SETFL, O_NONBLOCK);
    bool good = spawn(successor, argv, sockets, control[1], errors[1], err);
    close(control[1]);
    close(errors[1]);
    if (!good) {
        close(control[0]);
        close(errors[0]);
        successor->pid = 0;
        return false;
    }
    successor->control_fd = control[0];
    successor->error_fd = errors[0];
    return true;
}

/* ---- What it says ---- */

/* Keep the last of it. */
static void remember(struct successor *successor, const char *data, size_t size)
{
    size_t room = sizeof successor->said;
    if (size > room) {
        data += size - room;
        size = room;
    }
    size_t excess = successor->said_bytes + size > room ? successor->said_bytes + size - room : 0;
    memmove(successor->said, successor->said + excess, successor->said_bytes - excess);
    successor->said_bytes -= excess;
    memcpy(successor->said + successor->said_bytes, data, size);
    successor->said_bytes += size;
}

static void pass_on(struct successor *successor)
{
    char data[4096];
    /* Who never stops is not read for ever either. */
    for (unsigned turn = 0; turn < 16; turn++) {
        ssize_t size = successor->error_fd < 0 ? -1 : read(successor->error_fd, data, sizeof data);
        if (size < 0) {
            return;
        }
        if (size == 0) {
            close(successor->error_fd);
            successor->error_fd = -1;
            return;
        }
        ssize_t ignored = write(STDERR_FILENO, data, (size_t)size);
        (void)ignored;
        remember(successor, data, (size_t)size);
    }
}

enum successor_news successor_look(struct successor *successor)
{
    for (;;) {
        char word;
        pass_on(successor);
        ssize_t size = recv(successor->control_fd, &word, 1, 0);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            return SUCCESSOR_STARTING;
        }
        if (size <= 0) {
            return SUCCESSOR_FAILED;
        }
        if (word == HANDOVER_SERVING && successor->going) {
            pass_on(successor);
            return SUCCESSOR_SERVING;
        }
        char go = HANDOVER_GO;
        if (word != HANDOVER_READY || successor->going ||
            send(successor->control_fd, &go, 1, MSG_NOSIGNAL) != 1) {
            kill(successor->pid, SIGKILL);
            return SUCCESSOR_FAILED;
        }
        successor->going = true;
    }
}

/* ---- End ---- */

static void explain(const struct successor *successor, int status, struct err *ret)
{
    char how[64];
    if (WIFSIGNALED(status)) {
        snprintf(how, sizeof how, "was ended by signal %d", WTERMSIG(status));
    } else {
        snprintf(how, sizeof how, "ended with status %d", WEXITSTATUS(status));
    }
    size_t size = successor->said_bytes;
    while (size > 0 && successor->said[size - 1] == '\n') {
        size--;
    }
    (void)err_set(ret, ERR_OS, "the new program %s before it served%s%.*s", how,
                  size > 0 ? ":\n" : "", (int)size, successor->said);
}

/* It closes the channel when it ends, so it has ended or is about to; who does neither in time is killed. */
static int wait_for_end(pid_t pid)
{
    enum { PATIENCE_MS = 2000 };
    int status = 0;
    struct pollfd ended = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    if (ended.fd < 0 || poll(&ended, 1, PATIENCE_MS) == 0) {
        kill(pid, SIGKILL);
    }
    if (ended.fd >= 0) {
        close(ended.fd);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

void successor_end(struct successor *successor, bool serves, struct err *ret)
{
    if (successor->pid == 0) {
        return;
    }
    if (!serves) {
        if (ret == NULL) {
            kill(successor->pid, SIGKILL);
        }
        int status = wait_for_end(successor->pid);
        pass_on(successor);
        if (ret != NULL) {
            explain(successor, status, ret);
        }
    }
    if (successor->error_fd >= 0) {
        close(successor->error_fd);
    }
    close(successor->control_fd);
    *successor = (struct successor){.control_fd = -1, .error_fd = -1};
}
