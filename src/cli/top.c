#include "base/number.h"
#include "cli/client.h"
#include "cli/command.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Besides what every client takes. */
struct words {
    bool once;
    uint64_t interval_ms, rows; /* rows 0: as many as the terminal has, or all */
};

enum { WORD_ONCE = 256, WORD_INTERVAL, WORD_ROWS };

enum { HEAD_ROWS = 4, INTERVAL_MS_MIN = 100, INTERVAL_MS_MAX = 3600000, ROWS_MAX = 1000000 };

static bool take(void *argument, int option, const char *value)
{
    struct words *words = argument;

    if (option == WORD_ONCE) {
        words->once = true;
        return true;
    }
    if (option == WORD_ROWS) {
        return number_parse(value, strlen(value), ROWS_MAX, &words->rows);
    }
    return number_parse(value, strlen(value), INTERVAL_MS_MAX, &words->interval_ms) &&
           words->interval_ms >= INTERVAL_MS_MIN;
}

static uint64_t rows_of_terminal(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row <= HEAD_ROWS) {
        return 0;
    }
    return (uint64_t)(size.ws_row - HEAD_ROWS);
}

static bool show(const struct client_options *options, const struct words *words, bool screen,
                 struct err *err)
{
    /* Home, then clear what is below: no flicker of an empty screen. */
    static const char CLEAR[] = "\033[H\033[J";
    AUTO(bytes_finip) struct bytes text = {0};
    char path[64];
    uint64_t rows = words->rows == 0 && screen ? rows_of_terminal() : words->rows;

    snprintf(path, sizeof path, "/v1/top?rows=%" PRIu64, rows);
    if (!client_ask(options, false, path, &text, err)) {
        return false;
    }
    if (screen) {
        fputs(CLEAR, stdout);
    }
    fwrite(text.data, 1, text.size, stdout);
    return fflush(stdout) == 0 || err_set(err, ERR_OS, "cannot write");
}

/* True: a line was typed, which ends it, as its end does; without a keyboard only a signal does. */
static bool wait_for_key(const struct words *words)
{
    struct pollfd keyboard = {.fd = isatty(STDIN_FILENO) ? STDIN_FILENO : -1, .events = POLLIN};

    return poll(&keyboard, 1, (int)words->interval_ms) > 0;
}

int command_top(int argc, char **argv)
{
    static const struct option longs[] = {{"once", no_argument, NULL, WORD_ONCE},
                                          {"interval-ms", required_argument, NULL, WORD_INTERVAL},
                                          {"rows", required_argument, NULL, WORD_ROWS},
                                          {0}};
    struct words words = {.interval_ms = 2000};
    struct client_options options;
    struct err err = {0};

    int status = client_parse(
        argc, argv,
        "usage: mote top [--once] [--interval-ms N] [--rows N] [--node NAME] [--json]\n\n"
        "Shows the processes of a running node that do most just now: the share of a processor\n"
        "and the turns a second since the last look. On a terminal again and again until Enter or\n"
        "Ctrl-C; elsewhere, with --once and with --json, once.\n\n"
        "  --once            one table, since the last look of anybody, or each one's start\n"
        "  --interval-ms N   100 to 3600000 (default: 2000)\n"
        "  --rows N          at most so many processes (default: as the terminal has, or all)",
        &(struct client_words){.options = longs, .take = take, .argument = &words}, &options);
    if (status >= 0) {
        return status;
    }
    bool screen = isatty(STDOUT_FILENO) && !words.once && !options.json;
    do {
        if (!show(&options, &words, screen, &err)) {
            fprintf(stderr, "mote top: %s\n", err.text);
            return STATUS_FAILED;
        }
    } while (screen && !wait_for_key(&words));
    return STATUS_OK;
}
