/**
 * @file
 * The commands of `mote`, one file each. Each gets its own argv (the command's name first) and
 * returns the exit status of the program.
 */
#pragma once

/** Exit statuses that mean something; docs/cli.md has them. */
enum status {
    STATUS_OK = 0,
    STATUS_FAILED = 1, /**< It was tried and did not work. */
    STATUS_USAGE = 2,  /**< Wrong words, or a manifest with errors: nothing was tried. */
    STATUS_DEADLINE = 124,
    STATUS_TRAP = 134,
    STATUS_KILLED = 137, /**< Also: out of memory. */
};

int command_build(int argc, char **argv);
int command_check(int argc, char **argv);
int command_dev(int argc, char **argv);
int command_kill(int argc, char **argv);
int command_new(int argc, char **argv);
int command_ps(int argc, char **argv);
int command_reload(int argc, char **argv);
int command_run(int argc, char **argv);
int command_serve(int argc, char **argv);
int command_stats(int argc, char **argv);
int command_test(int argc, char **argv);
int command_top(int argc, char **argv);
int command_version(int argc, char **argv);

/** Print one line for a wrong call to standard error and return STATUS_USAGE. */
int usage_error(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
