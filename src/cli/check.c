#include "base/json.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/command.h"
#include "cli/complaint.h"
#include "cli/explain.h"
#include "cli/imports.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static void print_help(void)
{
    puts("usage: mote check [-f mote.toml] [--json] [--explain COMPONENT]\n\n"
         "Checks the manifest and every component it names (also that routes name functions which\n"
         "exist), and prints each setting in force with the place it comes from. Serves nothing.\n"
         "Exit status 2 when there is an error.\n\n"
         "  -f, --file FILE   the manifest (default: mote.toml in this folder)\n"
         "  --json            the settings and what is wrong as one JSON object\n"
         "  --explain NAME    instead: what that component imports, what of it is granted and by "
         "which\n"
         "                    line, and the line that would grant the rest\n"
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

/* The settings; for people nothing where there are errors. */
static bool print(const struct app_options *options, const struct app *app,
                  const struct problems *problems, enum manifest_form form, struct bytes *ret)
{
    if (form == MANIFEST_JSON) {
        return print_json(options, app, problems, ret);
    }
    return app == NULL || manifest_print(app_manifest(app), form, ret);
}

static bool explain(const struct app *app, const char *name, enum manifest_form form,
                    struct bytes *ret)
{
    const struct manifest_component *component = manifest_component(app_manifest(app), name);
    struct err err = {0};
    size_t count = 0;
    if (component == NULL) {
        fprintf(stderr, "mote check: there is no [components.%s] in %s\n", name,
                app_manifest(app)->path);
        return false;
    }
    struct engine_import *imports = imports_gather(&count);
    bool good = imports == NULL ? err_set_memory(&err)
                                : explain_component(app_manifest(app), component, imports, count,
                                                    form, ret, &err);
    free(imports);
    if (!good) {
        fprintf(stderr, "mote check: %s\n", err.text);
        ret->size = 0;
    } else if (form == MANIFEST_JSON) {
        good = bytes_append(ret, "\n", 1);
    }
    return good;
}

static int check(const struct app_options *options, const char *explained, enum manifest_form form)
{
    AUTO(problems_finip) struct problems problems = {0};
    complaint_keep(&problems);
    AUTO(app_destroyp) struct app *app = app_open(options);
    log_configure(LOG_TEXT, LOG_WARN); /* nothing between the errors */
    bool good = app != NULL && app_prepare(app);
    complaint_keep(NULL);
    AUTO(bytes_finip) struct bytes text = {0};
    if (explained != NULL) {
        /* Also of what cannot be prepared: this may say why. */
        good = app != NULL && explain(app, explained, form, &text) && good;
    } else if (!print(options, good ? app : NULL, &problems, form, &text)) {
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
    static const struct option longs[] = {
        {"file", required_argument, NULL, 'f'}, {"explain", required_argument, NULL, 'e'},
        {"json", no_argument, NULL, 'j'},       {"cache", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},       {0}};
    struct app_options options = {.path = "mote.toml"};
    enum manifest_form form = MANIFEST_TEXT;
    const char *explained = NULL;
    for (int option; (option = getopt_long(argc, argv, "f:h", longs, NULL)) != -1;) {
        switch (option) {
        case 'f':
            options.path = optarg;
            break;
        case 'e':
            explained = optarg;
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
    return check(&options, explained, form);
}
