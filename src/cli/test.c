#include "base/bytes.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/program.h"
#include "cli/sources.h"
#include "manifest/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_BYTES = SOURCE_PATH_BYTES,
    START_MS = 60000, /* what a node may take until it listens */
    END_MS = 10000,
    LISTENERS_MAX = 16,
    OUTPUT_BYTES_MAX = 1 << 20,
};

struct testing {
    const char *folder;
    const char *only; /* run those with this in their name; NULL: all */
    int within_ms;    /* for one test */
    size_t listeners;
    int stop_fd;          /* SIGINT and SIGTERM */
    bool stopped;         /* one came */
    char own[PATH_BYTES]; /* this program */
    char runtime[64];     /* a folder for the node's socket */
    struct sources tests;
};

static void print_help(void)
{
    puts("usage: mote test [--only TEXT] [--timeout-ms N] [--no-build] [FOLDER]\n\n"
         "Builds the app of FOLDER (default: here), and runs every file in its folder tests/ that "
         "may\n"
         "be executed, one after the other in the order of their names, each in FOLDER and with a\n"
         "node of its own on a free port:\n\n"
         "  MOTE_URL    http://127.0.0.1:PORT of the first [[serve]]; MOTE_URL_2 and so on: the "
         "others\n"
         "  MOTE_LOG    the file that the node's log goes to\n\n"
         "Status 0 of a test: it holds; 77: skipped; any other: it does not, and what it said is\n"
         "printed, with the node's log.\n\n"
         "  --only TEXT      those with TEXT in their name\n"
         "  --timeout-ms N   for one test (default: 120000)\n"
         "  --no-build       take the components as they are");
}

/* ---- one node ---- */

struct subject {
    struct program node;
    char log[PATH_BYTES];
    struct bytes variables[LISTENERS_MAX + 2]; /* terminated */
    size_t variable_count;
    const char *environment[LISTENERS_MAX + 3];
};

static bool add_variable(struct subject *subject, const char *text)
{
    struct bytes *variable = &subject->variables[subject->variable_count++];
    return bytes_printf(variable, "%s", text) && bytes_terminate(variable);
}

static void subject_fini(struct subject *subject)
{
    for (size_t i = 0; i < subject->variable_count; i++) {
        bytes_fini(&subject->variables[i]);
    }
}

/* "listening on http://127.0.0.1:1234" */
static bool take_line(struct subject *subject, const char *line, size_t number)
{
    static const char begin[] = "listening on ";
    char variable[PATH_BYTES];
    if (strncmp(line, begin, strlen(begin)) != 0) {
        return true;
    }
    if (number == 1) {
        snprintf(variable, sizeof variable, "MOTE_URL=%s", line + strlen(begin));
    } else {
        snprintf(variable, sizeof variable, "MOTE_URL_%zu=%s", number, line + strlen(begin));
    }
    return add_variable(subject, variable);
}

/* Read what it says until it listens everywhere. */
static bool await_node(struct testing *testing, struct subject *subject, int fd, struct err *err)
{
    char said[PATH_BYTES];
    size_t size = 0, seen = 0;
    for (;;) {
        struct pollfd wait[] = {{.fd = fd, .events = POLLIN},
                                {.fd = testing->stop_fd, .events = POLLIN}};
        if (poll(wait, ARRAY_LENGTH(wait), START_MS) <= 0) {
            return err_set(err, ERR_LIMIT, "the node did not listen within %d s", START_MS / 1000);
        }
        testing->stopped = wait[1].revents != 0;
        ssize_t got = testing->stopped ? 0 : read(fd, said + size, sizeof said - 1 - size);
        if (got <= 0) {
            return err_set(err, ERR_OS, testing->stopped ? "stopped" : "the node did not start");
        }
        size += (size_t)got;
        for (char *end; (end = memchr(said, '\n', size)) != NULL;) {
            *end = '\0';
            if (!take_line(subject, said, ++seen)) {
                return err_set_memory(err);
            }
            size_t taken = (size_t)(end - said) + 1;
            memmove(said, end + 1, size -= taken);
        }
        if (seen >= (testing->listeners > 0 ? testing->listeners : 1)) {
            return true;
        }
        if (size == sizeof said - 1) {
            return err_set(err, ERR_INPUT, "the node says too much");
        }
    }
}

static bool start_node(struct testing *testing, struct subject *subject, struct err *err)
{
    const char *words[2 * LISTENERS_MAX + 3] = {testing->own, "serve"};
    char runtime[sizeof testing->runtime + 32];
    const char *environment[] = {runtime, NULL};
    int out[2];
    for (size_t i = 0; i < testing->listeners; i++) {
        words[2 + 2 * i] = "--listen";
        words[3 + 2 * i] = "127.0.0.1:0";
    }
    snprintf(runtime, sizeof runtime, "XDG_RUNTIME_DIR=%s", testing->runtime);
    snprintf(subject->log, sizeof subject->log, "%s/log", testing->runtime);
    int log = open(subject->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0 || pipe2(out, O_CLOEXEC) != 0) {
        int os = errno;
        if (log >= 0) {
            close(log);
        }
        return err_set_os(err, os, "files for a node");
    }
    bool good = program_start(&subject->node,
                              &(struct program_options){.words = words,
                                                        .folder = testing->folder,
                                                        .environment = environment,
                                                        .out_fd = out[1],
                                                        .err_fd = log},
                              err);
    close(log);
    close(out[1]);
    good = good && await_node(testing, subject, out[0], err);
    close(out[0]); /* it says no more there */
    return good;
}

/* ---- one test ---- */

static void print_file(const char *title, int fd)
{
    AUTO(bytes_finip) struct bytes text = {0};
    char piece[4096];
    ssize_t got;
    if (fd < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        return;
    }
    while (text.size < OUTPUT_BYTES_MAX && (got = read(fd, piece, sizeof piece)) > 0 &&
           bytes_append(&text, piece, (size_t)got)) {
    }
    if (text.size > 0) {
        printf("  --- %s\n", title);
        fwrite(text.data, 1, text.size, stdout);
        puts(text.data[text.size - 1] == '\n' ? "  ---" : "\n  ---");
    }
}

static enum program_wait run_program(struct testing *testing, struct subject *subject,
                                     const char *path, int output, int *ret_status, struct err *err)
{
    struct program test = {.pid_fd = -1};
    const char *words[] = {path, NULL};
    char log[PATH_BYTES + 16];
    snprintf(log, sizeof log, "MOTE_LOG=%s", subject->log);
    if (!add_variable(subject, log)) {
        (void)err_set_memory(err);
        return PROGRAM_LATE;
    }
    for (size_t i = 0; i < subject->variable_count; i++) {
        subject->environment[i] = (const char *)subject->variables[i].data;
    }
    struct program_options options = {.words = words,
                                      .folder = testing->folder,
                                      .environment = subject->environment,
                                      .out_fd = output,
                                      .err_fd = output};
    if (!program_start(&test, &options, err)) {
        return PROGRAM_LATE;
    }
    enum program_wait result = program_wait(&test, testing->stop_fd, testing->within_ms,
                                            ret_status);
    program_end(&test, -1, 0);
    return result;
}

enum verdict { VERDICT_HOLDS, VERDICT_SKIPPED, VERDICT_FAILS };

static enum verdict judge(struct testing *testing, enum program_wait ended, int status,
                          struct err *err)
{
    switch (ended) {
    case PROGRAM_ENDED:
        if (status != 0 && status != 77) {
            (void)err_set(err, ERR_INPUT,
                          status == 126 ? "status %d: can it be run? (its first line, its mode)"
                                        : "status %d",
                          status);
        }
        return status == 0 ? VERDICT_HOLDS : status == 77 ? VERDICT_SKIPPED : VERDICT_FAILS;
    case PROGRAM_LATE:
        if (err->code == ERR_NONE) {
            (void)err_set(err, ERR_LIMIT, "not done within %d ms", testing->within_ms);
        }
        return VERDICT_FAILS;
    case PROGRAM_INTERRUPTED:
        testing->stopped = true;
        (void)err_set(err, ERR_OS, "stopped");
        return VERDICT_FAILS;
    }
    BUG("program_wait");
}

static enum verdict run_test(struct testing *testing, const char *path)
{
    struct subject subject = {.node = {.pid_fd = -1}};
    struct err err = {0};
    int status = 0;
    const char *name = strrchr(path, '/') + 1;
    FILE *output = tmpfile();
    enum verdict verdict = VERDICT_FAILS;
    char real[PATH_BYTES];
    if (output == NULL || realpath(path, real) == NULL) {
        (void)err_set_os(&err, errno, "%s", path);
    } else if (start_node(testing, &subject, &err)) {
        enum program_wait ended = run_program(testing, &subject, real, fileno(output), &status,
                                              &err);
        verdict = judge(testing, ended, status, &err);
    }
    program_end(&subject.node, -1, END_MS);
    printf("%s %s",
           verdict == VERDICT_HOLDS     ? "ok  "
           : verdict == VERDICT_SKIPPED ? "skip"
                                        : "FAIL",
           name);
    if (verdict == VERDICT_FAILS) {
        int log = open(subject.log, O_RDONLY | O_CLOEXEC);
        printf(": %s\n", err.text);
        fflush(stdout);
        print_file("it said", output == NULL ? -1 : fileno(output));
        print_file("the node's log", log);
        if (log >= 0) {
            close(log);
        }
    } else {
        puts("");
    }
    fflush(stdout);
    if (output != NULL) {
        fclose(output);
    }
    subject_fini(&subject);
    return verdict;
}

/* ---- all ---- */

static int run_all(struct testing *testing)
{
    size_t counts[VERDICT_FAILS + 1] = {0};
    for (size_t i = 0; i < testing->tests.count && !testing->stopped; i++) {
        const char *path = testing->tests.items[i];
        if (access(path, X_OK) == 0 &&
            (testing->only == NULL || strstr(strrchr(path, '/') + 1, testing->only) != NULL)) {
            counts[run_test(testing, path)]++;
        }
    }
    if (counts[VERDICT_HOLDS] + counts[VERDICT_FAILS] + counts[VERDICT_SKIPPED] == 0) {
        fprintf(stderr, "mote test: no tests: a test is a file in %s/tests that may be executed\n",
                testing->folder);
        return STATUS_FAILED;
    }
    printf("%zu of %zu tests hold\n", counts[VERDICT_HOLDS],
           counts[VERDICT_HOLDS] + counts[VERDICT_FAILS]);
    return counts[VERDICT_FAILS] == 0 && !testing->stopped ? STATUS_OK : STATUS_FAILED;
}

static int build(const char *folder)
{
    char *words[] = {(char[]){"build"}, strdup(folder), NULL};
    optind = 0; /* it parses anew */
    int status = words[1] == NULL ? STATUS_FAILED : command_build(2, words);
    free(words[1]);
    return status;
}

/* How many listeners there are to be moved to free ports. */
static int read_manifest(struct testing *testing)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/mote.toml", testing->folder);
    AUTO(problems_finip) struct problems problems = {0};
    AUTO(manifest_destroyp) struct manifest *manifest = manifest_load(path, NULL, &problems);
    if (manifest == NULL) {
        AUTO(bytes_finip) struct bytes text = {0};
        if (problems_print(&problems, &text)) {
            fwrite(text.data, 1, text.size, stderr);
        }
        return STATUS_USAGE;
    }
    testing->listeners = manifest->serve_count;
    if (testing->listeners > LISTENERS_MAX) {
        fprintf(stderr, "mote test: more than %d listeners\n", LISTENERS_MAX);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

static int prepare(struct testing *testing, bool builds)
{
    struct err err = {0};
    sigset_t signals;
    char tests[PATH_BYTES];
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (builds) {
        int status = build(testing->folder);
        if (status != STATUS_OK) {
            return status;
        }
    }
    int status = read_manifest(testing);
    if (status != STATUS_OK) {
        return status;
    }
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    testing->stop_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    snprintf(testing->runtime, sizeof testing->runtime, "/tmp/mote-test-XXXXXX");
    snprintf(tests, sizeof tests, "%s/tests", testing->folder);
    bool good = program_own_path(testing->own, sizeof testing->own, &err) &&
                (mkdtemp(testing->runtime) != NULL || err_set_os(&err, errno, "a folder")) &&
                sources_add_folder(&testing->tests, tests, "", &err);
    if (!good) {
        fprintf(stderr, "mote test: %s\n", err.text);
    }
    return good ? STATUS_OK : STATUS_FAILED;
}

static void clean_up(struct testing *testing)
{
    char path[sizeof testing->runtime + 16];
    sources_fini(&testing->tests);
    if (testing->stop_fd >= 0) {
        close(testing->stop_fd);
    }
    if (testing->runtime[0] != '\0') {
        snprintf(path, sizeof path, "%s/log", testing->runtime);
        (void)unlink(path);
        snprintf(path, sizeof path, "%s/mote", testing->runtime);
        (void)rmdir(path);
        (void)rmdir(testing->runtime);
    }
}

int command_test(int argc, char **argv)
{
    static const struct option longs[] = {{"only", required_argument, NULL, 'o'},
                                          {"timeout-ms", required_argument, NULL, 't'},
                                          {"no-build", no_argument, NULL, 'n'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct testing testing = {.folder = ".", .within_ms = 120000, .stop_fd = -1};
    bool builds = true;
    uint64_t within_ms;
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        switch (option) {
        case 'o':
            testing.only = optarg;
            break;
        case 't':
            if (!number_parse(optarg, strlen(optarg), INT32_MAX, &within_ms)) {
                return usage_error("test", "'%s' is no number of milliseconds", optarg);
            }
            testing.within_ms = (int)within_ms;
            break;
        case 'n':
            builds = false;
            break;
        case 'h':
            print_help();
            return STATUS_OK;
        default: /* getopt has said what is wrong */
            return STATUS_USAGE;
        }
    }
    if (argc - optind > 1) {
        return usage_error("test", "one FOLDER");
    }
    testing.folder = optind < argc ? argv[optind] : ".";
    int status = prepare(&testing, builds);
    status = status == STATUS_OK ? run_all(&testing) : status;
    clean_up(&testing);
    return status;
}
