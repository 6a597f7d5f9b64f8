#include "base/base.h"
#include "cli/command.h"
#include "guest/dynamic_compiler.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"dev", "build and serve an app, and take every change of its files", command_dev},
    {"serve", "serve the app of a mote.toml", command_serve},
    {"check", "check a mote.toml and its components; print every limit in force", command_check},
    {"new", "make a small app of a template", command_new},
    {"build", "compile an app's sources to WebAssembly", command_build},
    {"test", "run an app's tests against a node of their own", command_test},
    {"run", "run one command or actor in this terminal", command_run},
    {"reload", "have a new program or manifest take a running node's place", command_reload},
    {"ps", "list the processes of a running node", command_ps},
    {"top", "the busiest processes of a running node, again and again", command_top},
    {"kill", "end one process of a running node", command_kill},
    {"stats", "live counts of a running node against their limits", command_stats},
    {"version", "print the version", command_version},
};

static void print_help(FILE *to)
{
    fputs("mote: a server runtime for WebAssembly\n\nusage: mote COMMAND [OPTIONS]\n\n", to);
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        fprintf(to, "  %-8s  %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\n`mote COMMAND --help` tells more.\n", to);
}

int usage_error(const char *command, const char *fmt, ...)
{
    fprintf(stderr, "mote %s: ", command);
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "; see `mote %s --help`\n", command);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_help(stderr);
        return STATUS_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(stdout);
        return STATUS_OK;
    }
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    if (strcmp(name, DYNAMIC_COMPILER_COMMAND) == 0) {
        /* For guests' code, by a node only: nothing is left to tidy up that would not end with it. */
        _exit(dynamic_compiler_main(argc - 1, argv + 1));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "mote: no command '%s'; `mote help` lists them\n", name);
    return STATUS_USAGE;
}
