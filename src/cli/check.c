#include "base/log.h"
#include "cli/app.h"
#include "cli/command.h"

#include <getopt.h>
#include <stdio.h>

static void print_help(void)
{
    puts("usage: mote check [-f mote.toml] [--json]\n\n"
         "Checks the manifest and every component it names (also that routes name functions which\n"
         "exist), and prints each setting in force with the place it comes from. Serves nothing.\n"
         "Exit status 2 when there is an error.\n\n"
         "  -f, --file FILE   the manifest (default: mote.toml in this folder)\n"
         "  --json            the settings as one JSON object\n"
         "  --cache FOLDER    where compiled code is kept (default: the user's cache folder)");
}

static int check(const struct app_options *options, enum manifest_form form)
{
    AUTO(app_destroyp) struct app *app = app_open(options);
    log_configure(LOG_TEXT, LOG_WARN); /* nothing between the errors */
    if (app == NULL || !app_prepare(app)) {
        return STATUS_USAGE;
    }
    AUTO(bytes_finip) struct bytes text = {0};
    if (!manifest_print(app_manifest(app), form, &text)) {
        fputs("mote check: out of memory\n", stderr);
        return STATUS_FAILED;
    }
    fwrite(text.data, 1, text.size, stdout);
    return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}

int command_check(int argc, char **argv)
{
    static const struct option longs[] = {{"file", required_argument, NULL, 'f'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"cache", required_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct app_options options = {.path = "mote.toml"};
    enum manifest_form form = MANIFEST_TEXT;
    for (int option; (option = getopt_long(argc, argv, "f:h", longs, NULL)) != -1;) {
        switch (option) {
        case 'f':
            options.path = optarg;
            break;
        case 'j':
            form = MANIFEST_JSON;
            break;
        case 'c':
            options.cache_folder = optarg;
            break;
        case 'h':
            print_help();
            return STATUS_OK;
        default: /* getopt has said what is wrong */
            return STATUS_USAGE;
        }
    }
    if (optind < argc) {
        return usage_error("check", "unexpected '%s'", argv[optind]);
    }
    return check(&options, form);
}
