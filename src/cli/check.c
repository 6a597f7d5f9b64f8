#include "base/json.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/command.h"
#include "cli/complaint.h"

#include <getopt.h>
#include <stdio.h>

static void print_help(void)
{
    puts("usage: mote check [-f mote.toml] [--json]\n\n"
         "Checks the manifest and every component it names (also that routes name functions which\n"
         "exist), and prints each setting in force with the place it comes from. Serves nothing.\n"
         "Exit status 2 when there is an error.\n\n"
         "  -f, --file FILE   the manifest (default: mote.toml in this folder)\n"
         "  --json            the settings and what is wrong as one JSON object\n"
         "  --cache FOLDER    where compiled code is kept (default: the user's cache folder)");
}

/* One object in any case: the settings, if they are good (`app`), and what there is to say of them. */
static bool print_json(const struct app_options *options, const struct app *app,
                       const struct problems *problems, struct bytes *ret)
{
    if (app == NULL) {
        struct json json = {.to = ret};
        json_open(&json, NULL, '{');
        json_string(&json, "manifest", options->path);
        json_close(&json, '}');
        if (!json_done(&json)) {
            return false;
        }
    } else if (!manifest_print(app_manifest(app), MANIFEST_JSON, ret)) {
        return false;
    }
    while (ret->data[ret->size - 1] != '}') {
        ret->size--; /* the end of the line */
    }
    ret->size--;
    return bytes_printf(ret, ",\"problems\":") && complaint_print_json(problems, ret) &&
           bytes_printf(ret, "}\n");
}

static int check(const struct app_options *options, enum manifest_form form)
{
    AUTO(problems_finip) struct problems problems = {0};
    complaint_keep(&problems);
    AUTO(app_destroyp) struct app *app = app_open(options);
    log_configure(LOG_TEXT, LOG_WARN); /* nothing between the errors */
    bool good = app != NULL && app_prepare(app);
    complaint_keep(NULL);
    AUTO(bytes_finip) struct bytes text = {0};
    if (form == MANIFEST_JSON ? !print_json(options, good ? app : NULL, &problems, &text)
                              : good && !manifest_print(app_manifest(app), form, &text)) {
        fputs("mote check: out of memory\n", stderr);
        return STATUS_FAILED;
    }
    if (text.size > 0) {
        fwrite(text.data, 1, text.size, stdout);
    }
    if (fflush(stdout) != 0) {
        return STATUS_FAILED;
    }
    return good ? STATUS_OK : STATUS_USAGE;
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
