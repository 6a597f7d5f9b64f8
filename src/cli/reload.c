#include "cli/client.h"
#include "cli/command.h"

#include "admin/admin.h"
#include "base/number.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { MS_PER_S = 1000, ANSWER_S = 30 };

enum { OPTION_TIMEOUT = 256, OPTION_CODE };

struct choice {
    uint64_t timeout_ms;
    bool code; /* nothing but the components' files */
};

static bool take(void *argument, int option, const char *value)
{
    struct choice *choice = argument;
    if (option == OPTION_CODE) {
        choice->code = true;
        return true;
    }
    return number_parse(value, strlen(value), ADMIN_RELOAD_MS_MAX, &choice->timeout_ms);
}

static bool print_path(const struct choice *choice, struct bytes *ret)
{
    bool good = choice->code ? bytes_printf(ret, "/v1/swap")
                             : bytes_printf(ret, "/v1/reload?timeout_ms=%llu",
                                            (unsigned long long)choice->timeout_ms);
    return good && bytes_terminate(ret);
}

int command_reload(int argc, char **argv)
{
    static const struct option longs[] = {{"timeout-ms", required_argument, NULL, OPTION_TIMEOUT},
                                          {"code", no_argument, NULL, OPTION_CODE},
                                          {0}};
    struct choice choice = {.timeout_ms = ADMIN_RELOAD_MS};
    struct client_options options;
    AUTO(bytes_finip) struct bytes path = {0}, answer = {0};
    struct err err = {0};

    int status = client_parse(
        argc, argv,
        "usage: mote reload [--code] [--timeout-ms N] [--node NAME]\n\n"
        "Starts the program of a running node anew, with the same words and the manifest as it is "
        "on\n"
        "disk now. Once the new node has started its services it takes over the listening sockets "
        "and\n"
        "the admin socket; the old one finishes what it has begun and ends. No connection is "
        "refused.\n"
        "If the new node does not start, the old one goes on, and this says why.\n\n"
        "With --code the node goes on, and only looks at the files of its components again: what\n"
        "begins from now on runs the new code, what runs ends on the old. SIGHUP does that too.\n\n"
        "  --code          new code for the node that runs\n"
        "  --timeout-ms N  how long the new node may take (default: 120000)",
        &(struct client_words){.options = longs, .take = take, .argument = &choice}, &options);
    if (status >= 0) {
        return status;
    }
    options.timeout_s = (long)(choice.timeout_ms / MS_PER_S) + ANSWER_S;
    if (!print_path(&choice, &path)) {
        fputs("mote reload: out of memory\n", stderr);
        return STATUS_FAILED;
    }
    if (!client_ask(&options, true, (char *)path.data, &answer, &err)) {
        fprintf(stderr, "mote reload: %s\n", err.text);
        return STATUS_FAILED;
    }
    fwrite(answer.data, 1, answer.size, stdout);
    return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}
